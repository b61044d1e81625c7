import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type Database, openDatabase } from '../src/domain/database/database.ts';
import { addUser } from '../src/domain/identity/accounts.ts';
import { addToken } from '../src/domain/identity/tokens.ts';
import { RETENTION_RULES, type RetentionRule } from '../src/domain/retention/rules.ts';
import { type BenchContext, type Figure, median, secondsOf } from './benchmark.ts';
import { startService } from './child-process.ts';
import { fillHistory } from './request-history.ts';

const SMALL = 1_000;
/** With about a hundred references each; `--requests 1000000` is the whole thing. */
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
  /** How much longer it may take in large tables; absent: twice. null: it counts all that there is. */
  limit?: number | null;
}

/** A database with its gateway. */
interface Scene {
  requests: number;
  database: Database;
  gateway: string;
  token: string;
}

const RETENTION: readonly RetentionRule['name'][] = ['requests', 'logs', 'events'];
const WARM_UP = 3;

/** Listings, searches, submissions, retention and metrics with few and with many requests, by turns (issue 7). */
export async function millionRequests(context: BenchContext): Promise<Figure[]> {
  const many = context.requests ?? (context.quick ? QUICK_LARGE : LARGE);
  const small = await openScene(context, SMALL);
  const large = await openScene(context, many);
  const figures: Figure[] = [];
  const add = (name: string, [measured, value]: [number, number], limit: number | null): void => {
    figures.push({
      name: `${many.toLocaleString('en')} requests: ${name}`,
      ...{ measured, unit: 'ms', yardstick: { name: `with ${SMALL.toLocaleString('en')}`, value } },
      budget: limit === null ? null : { of: 'ratio', comparison: 'at most', limit },
    });
    context.say(`  ${name}: ${measured.toFixed(1)} ms, ${value.toFixed(1)} ms with ${SMALL}`);
  };
  const ofSmall = questionsOf(SMALL);
  for (const [index, question] of questionsOf(many).entries()) {
    const { name, pauseMs = 0, limit = 2 } = question;
    const samples = pauseMs > 0 ? 5 : context.quick ? 20 : 60;
    const times = await byTurns(samples, async () => {
      await sleep(pauseMs);
      return [() => ask(large, question), () => ask(small, ofSmall[index]!)];
    });
    add(name, times, limit);
  }
  for (const name of RETENTION) {
    const times = await byTurns(8, async () => [() => forget(large, name), () => forget(small, name)]);
    add(`retention, ${BATCH} ${name}`, times, 2);
  }
  return figures;
}

async function openScene({ stage, say }: BenchContext, requests: number): Promise<Scene> {
  const DATABASE_URL = await stage.newDatabase();
  let references = 0;
  const seconds = await secondsOf(async () => {
    references = await fillHistory(DATABASE_URL, { requests, references: REFERENCES }, say);
  });
  say(`${requests} requests, ${references} references to components, made in ${seconds.toFixed(0)} s`);
  const database = await openDatabase({ url: DATABASE_URL });
  stage.atEnd(() => database.close());
  await addUser(database, { name: 'bench', isAdmin: true });
  const { secret } = await addToken(database, { userName: 'bench', name: 'bench' });
  const STOWAGE_DATA_DIR = await stage.newDirectory();
  const gateway = await startService(stage, 'gateway', { DATABASE_URL, STOWAGE_DATA_DIR, STOWAGE_PORT: '0' });
  return { requests, database, gateway: gateway.url!, token: secret };
}

/** Medians in milliseconds of two things that are done one after the other, again and again. */
async function byTurns(
  samples: number,
  next: () => Promise<[() => Promise<unknown>, () => Promise<unknown>]>,
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let sample = -WARM_UP; sample < samples; sample += 1) {
    for (const [index, work] of (await next()).entries()) {
      const seconds = await secondsOf(work);
      if (sample >= 0) times[index]!.push(seconds * 1000);
    }
  }
  return [median(times[0]), median(times[1])];
}

/** Much less than a batch, since the small database has not more. */
const BATCH = 5;

async function forget({ database }: Scene, name: RetentionRule['name']): Promise<void> {
  const before = new Date(Date.now() - 365 * 86_400_000);
  const { remove } = RETENTION_RULES.find((rule) => rule.name === name)!;
  await database.transaction((tx) => remove(tx, before, BATCH));
}

async function ask({ gateway, token }: Scene, { name, path, body, anonymous }: Question): Promise<void> {
  const answer = await request(`${gateway}${path}`, {
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
  const cachito = (name: string, query: string): Question => ({
    name: `Cachito, ${name}`,
    path: `/api/v1/requests?${query}`,
    anonymous: true,
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
    cachito('list, page in the middle', `per_page=20&page=${Math.floor(middle / 40)}`),
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
