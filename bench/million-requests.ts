import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type Database, openDatabase } from '../src/domain/database/database.ts';
import { addUser } from '../src/domain/identity/accounts.ts';
import { addToken } from '../src/domain/identity/tokens.ts';
import { RETENTION_RULES } from '../src/domain/retention/rules.ts';
import { type BenchContext, type Figure, median, secondsOf } from './benchmark.ts';
import { startService } from './child-process.ts';
import { fillHistory } from './request-history.ts';

const SMALL = 1_000;
/** With about a hundred references each; --requests 1000000 is the whole thing, and takes 20 GB and most of an hour. */
const LARGE = 100_000;
const QUICK_LARGE = 20_000;
const REFERENCES = 135;

/** What one asks for; the larger the tables, the same answer takes no longer. */
interface Question {
  name: string;
  path: string;
  /** Of a POST; absent: GET. */
  body?: object;
  anonymous?: boolean;
  /** Answers are kept for so long. */
  pauseMs?: number;
  /** How much longer it may take in large tables; absent: twice. null: it counts or skips all that there is before. */
  limit?: number | null;
}

type Latencies = Map<string, { milliseconds: number; limit: number | null }>;

/** Listings, searches, submissions, retention and metrics with few and with many requests (issue 7). */
export async function millionRequests(context: BenchContext): Promise<Figure[]> {
  const many = context.requests ?? (context.quick ? QUICK_LARGE : LARGE);
  const small = await measure(context, SMALL);
  const large = await measure(context, many);
  return [...large].map(([name, { milliseconds, limit }]) => ({
    name: `${many.toLocaleString('en')} requests: ${name}`,
    measured: milliseconds,
    unit: 'ms',
    yardstick: { name: `with ${SMALL.toLocaleString('en')}`, value: small.get(name)!.milliseconds },
    budget: limit === null ? null : { of: 'ratio', comparison: 'at most', limit },
  }));
}

async function measure({ stage, quick, say }: BenchContext, requests: number): Promise<Latencies> {
  const DATABASE_URL = await stage.newDatabase();
  let references = 0;
  const seconds = await secondsOf(async () => {
    references = await fillHistory(DATABASE_URL, { requests, references: REFERENCES }, say);
  });
  say(`${requests} requests, ${references} references to components, made in ${seconds.toFixed(0)} s`);
  const database = await openDatabase({ url: DATABASE_URL });
  await addUser(database, { name: 'bench', isAdmin: true });
  const { secret } = await addToken(database, { userName: 'bench', name: 'bench' });
  const STOWAGE_DATA_DIR = await stage.newDirectory();
  const gateway = await startService(stage, 'gateway', { DATABASE_URL, STOWAGE_DATA_DIR, STOWAGE_PORT: '0' });
  const latencies: Latencies = new Map();
  const samples = quick ? 10 : 30;
  for (const question of questionsOf(requests)) {
    const { name, limit = 2, pauseMs = 0 } = question;
    const times: number[] = [];
    const count = pauseMs > 0 ? 5 : samples;
    for (let sample = -2; sample < count; sample += 1) {
      await sleep(pauseMs);
      const time = await secondsOf(() => ask(gateway.url!, secret, question));
      if (sample >= 0) times.push(time * 1000);
    }
    latencies.set(name, { milliseconds: median(times), limit });
    say(`  ${name}: ${median(times).toFixed(1)} ms`);
  }
  await gateway.stop();
  for (const [name, milliseconds] of await retentionBatches(database)) {
    latencies.set(name, { milliseconds, limit: 2 });
    say(`  ${name}: ${milliseconds.toFixed(1)} ms`);
  }
  await database.close();
  await stage.dropDatabase(DATABASE_URL);
  return latencies;
}

async function ask(url: string, token: string, { name, path, body, anonymous }: Question): Promise<void> {
  const answer = await request(`${url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'content-type': 'application/json',
      ...(!anonymous && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || text.includes('"errors"') || text.includes('"nodes":[]')) {
    throw new Error(`${name}: ${answer.statusCode} ${text.slice(0, 500)}`);
  }
}

/** Rules that remove rows of large tables: one batch, as its transaction takes. */
async function retentionBatches(database: Database): Promise<[string, number][]> {
  const before = new Date(Date.now() - 365 * 86_400_000);
  const found: [string, number][] = [];
  for (const { name, batch, remove } of RETENTION_RULES) {
    if (name !== 'requests' && name !== 'events' && name !== 'logs') continue;
    const times: number[] = [];
    for (let run = 0; run < 3; run += 1) {
      // In the small database there is less than three batches of everything.
      const limit = Math.min(batch, 20);
      const time = await secondsOf(() => database.transaction((tx) => remove(tx, before, limit)));
      times.push((time * 1000) / limit);
    }
    found.push([`retention, one of ${name}`, median(times)]);
  }
  return found;
}

function questionsOf(requests: number): Question[] {
  const graphql = (name: string, query: string, variables: object = {}): Question => ({
    name: `GraphQL, ${name}`,
    path: '/graphql',
    body: { query, variables },
  });
  const list = (name: string, filter: object, after: string | null = null): Question =>
    graphql(`list, ${name}`, LIST, { filter, after });
  const components = (name: string, query: object): Question =>
    graphql(`components ${name}`, COMPONENTS, query);
  const cachito = (name: string, query: string, limit?: null): Question => ({
    name: `Cachito, ${name}`,
    path: `/api/v1/requests?${query}`,
    anonymous: true,
    ...(limit === null && { limit }),
  });
  const middle = Math.floor(requests / 2);
  const old = { createdFrom: daysAgo(400), createdTo: daysAgo(399) };
  return [
    list('first page', {}),
    list('page in the middle', {}, cursor(middle)),
    list('by state', { states: ['FAILED'] }),
    list('by two states', { states: ['FAILED', 'CANCELLED'] }),
    list('by repository', { repository: 'https://git.example/team-7/app-7' }),
    list('by package manager', { packageManagers: ['NPM'] }),
    list('by a rare package manager', { packageManagers: ['RUBYGEMS'] }),
    list('by project', { project: 'project-7' }),
    list('by user', { user: 'user-7' }),
    list('by day', old),
    list('by kind of error', { errorType: 'GoModError' }),
    graphql('how many', COUNT, { filter: {} }),
    graphql('how many of a state', COUNT, { filter: { states: ['FAILED'] } }),
    graphql('how many of a project', COUNT, { filter: { project: 'project-7' } }),
    { ...graphql('how many with a manager', COUNT, { filter: { packageManagers: ['NPM'] } }), limit: null },
    components('by purl', { purl: 'pkg:pypi/pkg-1@1.3.0' }),
    components('by name', { name: 'pkg-100' }),
    components('by range', { purl: 'pkg:pypi/pkg-100', range: '<1.5' }),
    graphql('requests with a component', WITH_COMPONENT, { purl: 'pkg:pypi/pkg-1@1.3.0' }),
    graphql('requests with a rare component', WITH_COMPONENT, { purl: 'pkg:golang/pkg-197@1.3.0' }),
    graphql('submission', SUBMIT, {
      input: { repository: 'https://git.example/a/b', ref: 'f'.repeat(40), packageManagers: ['NPM'] },
    }),
    cachito('list, first page', 'per_page=20'),
    cachito('list, page in the middle', `per_page=20&page=${Math.floor(middle / 40)}`, null),
    cachito('list by state', 'per_page=20&state=failed'),
    cachito(
      'list by repository',
      `per_page=20&repo=${encodeURIComponent('https://git.example/team-7/app-7')}`,
    ),
    cachito('list by kind of error', 'per_page=20&error_type=GoModError'),
    cachito('list by day', `per_page=20&created_from=${old.createdFrom}&created_to=${old.createdTo}`),
    { name: '/metrics', path: '/metrics', pauseMs: 1_100 },
  ];
}

/** As the schema's connections spell it. */
function cursor(id: number): string {
  return Buffer.from(`id:${id}`).toString('base64url');
}

function daysAgo(days: number): string {
  return `${new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 19)}Z`;
}

const LIST = `query ($filter: BundleRequestFilter, $after: String) {
  bundleRequests(first: 20, filter: $filter, after: $after) {
    nodes { number state repository commit createdAt packageManagers } pageInfo { hasNextPage endCursor }
  }
}`;
const COUNT = `query ($filter: BundleRequestFilter) { bundleRequests(first: 1, filter: $filter) { totalCount } }`;
const COMPONENTS = `query ($purl: String, $name: String, $range: String) {
  components(first: 20, purl: $purl, name: $name, range: $range) { nodes { purl } }
}`;
const WITH_COMPONENT = `query ($purl: String) {
  components(first: 1, purl: $purl) { nodes { purl requests(first: 20) { nodes { number state } } } }
}`;
const SUBMIT = `mutation ($input: SubmitBundleRequestInput!) {
  submitBundleRequest(input: $input) { __typename ... on MutationSubmitBundleRequestSuccess { data { number } } }
}`;
