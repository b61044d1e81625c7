import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runMigrations } from 'graphile-worker';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { prepareDatabase } from '../../../src/cli/prepare-database.ts';
import { findRequests } from '../../../src/domain/bundle-requests/find.ts';
import { readArchive } from '../../../src/domain/bundles/archive-reader.ts';
import { openArchive } from '../../../src/domain/bundles/open-archive.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { type Database, openDatabase } from '../../../src/domain/database/database.ts';
import { executor, migrate } from '../../../src/domain/database/migrate.ts';
import { findBundle } from '../../../src/domain/database/sql/find-bundle.ts';
import { Authenticator } from '../../../src/domain/identity/authenticate.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { readLog } from '../../../src/domain/logs/read-log.ts';
import { parseImageName } from '../../../src/domain/registry/image-name.ts';
import { findManifest, pullManifest } from '../../../src/domain/registry/manifests.ts';
import { openRegistry } from '../../../src/domain/registry/registry.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import { submit } from '../../support/requests.ts';
import { catalogue } from './upgrades/catalogue.ts';
import { type Content, content, EXPECTED, type LogForm, rowsOf } from './upgrades/content.ts';
import { type LandedState, landedStates } from './upgrades/landed-states.ts';

const STATES = landedStates();
/** What takes some seconds takes minutes on a busy machine. */
const BUSY_MS = 300_000;
const run = randomBytes(4).toString('hex');
/** What states are made from: a database with the queue, in which a job waits. */
const EMPTY = -1;
const nameOf = (index: number): string => `upgrade_${run}_${index === EMPTY ? 'empty' : index}`;
const urlOf = (name: string): string =>
  Object.assign(new URL(inject('postgresUrl')), { pathname: `/${name}` }).href;

let admin: pg.Client;
let directory: string;
let blobs: FileBlobStore;
let known: Content;
let fresh: string[];

beforeAll(async () => {
  admin = new pg.Client({ connectionString: inject('postgresUrl') });
  await admin.connect();
  directory = await mkdtemp(join(tmpdir(), 'stowage-upgrades-'));
  known = await content();
  blobs = new FileBlobStore(directory);
  for (const bytes of known.blobs.blobs.values()) await blobs.write(bytes);
  const url = await createTestDatabase();
  fresh = await withClient(url, (client) => catalogue(executor(client)));
  await dropTestDatabase(url);
  await createEmpty();
  for (const index of STATES.keys()) await build(index);
}, BUSY_MS);
afterAll(async () => {
  for (const index of [EMPTY, ...STATES.keys()])
    await admin.query(`drop database if exists ${nameOf(index)} with (force)`);
  await admin.end();
  await rm(directory, { recursive: true, force: true });
}, BUSY_MS);

test('every state that has landed is known, and none has changed since', () => {
  expect(STATES.length).toBeGreaterThanOrEqual(33);
  expect(new Set(STATES.map(({ name }) => name)).size).toBe(STATES.length);
});

test.each(STATES.map(({ name }, index) => [index, name] as const))(
  'state %i, %s: has the schema of a fresh database after an upgrade, and all that was in it',
  async (index) => {
    // The database of a state is what later ones are made from.
    const name = `${nameOf(index)}_used`;
    await admin.query(`create database ${name} template ${nameOf(index)} strategy file_copy`);
    const url = urlOf(name);
    try {
      const before = await withClient(url, async (client) => {
        await fill(client, STATES[index]!);
        return await countRows(client);
      });
      await prepareDatabase(url);
      await withClient(url, async (client) => {
        expect(await catalogue(executor(client))).toEqual(fresh);
        expect(await countRows(client)).toMatchObject(expectedRows(before));
      });
      expect(await migrate(url)).toEqual({ applied: [], pending: [] });
      const database = await openDatabase({ url, connections: 2 });
      await expectReadable(database, before).finally(() => database.close());
    } finally {
      await admin.query(`drop database ${name} with (force)`);
    }
  },
);

test('a database that went through all of them one after the other has the same schema, too', async () => {
  const name = `${nameOf(STATES.length)}`;
  await admin.query(`create database ${name} template template0 strategy file_copy`);
  try {
    await withClient(urlOf(name), async (client) => {
      await createMigrations(client);
      let done = new Set<string>();
      let renamed = new Map<string, string>();
      for (const { migrations } of STATES) {
        // As the migrator of the time went by names; the later names of some it was told.
        renamed = new Map([...renamed, ...FORMER_NAMES.filter(([, now]) => migrations.has(now))]);
        done = new Set([...done].map((one) => renamed.get(one) ?? one));
        for (const file of [...migrations.keys()].sort()) {
          if (done.has(file)) continue;
          await client.query(migrations.get(file)!);
          await client.query('insert into migrations (name) values ($1)', [file]);
          done.add(file);
        }
      }
      expect(await catalogue(executor(client))).toEqual(fresh);
    });
    expect(await migrate(urlOf(name))).toEqual({ applied: [], pending: [] });
  } finally {
    await admin.query(`drop database ${name} with (force)`);
  }
});

const FORMER_NAMES = [
  ['0015-upstream-images.sql', '0016-upstream-images.sql'],
  ['0016-gateway-addresses.sql', '0017-gateway-addresses.sql'],
  ['0017-build-sources.sql', '0018-build-sources.sql'],
  ['0018-account-email.sql', '0019-account-email.sql'],
  ['0018-log-pages.sql', '0020-log-pages.sql'],
  ['0018-project-paths.sql', '0021-project-paths.sql'],
  ['0019-queue-positions.sql', '0022-queue-positions.sql'],
] as const;

async function createEmpty(): Promise<void> {
  await admin.query(`create database ${nameOf(EMPTY)} template template0 strategy file_copy`);
  await runMigrations({ connectionString: urlOf(nameOf(EMPTY)) });
  await withClient(urlOf(nameOf(EMPTY)), (client) =>
    client.query(`select from graphile_worker.add_job('collect-garbage', '{}')`),
  );
}

/** From the largest earlier state whose migrations are all among those of this one: most of them differ by one. */
async function build(index: number): Promise<void> {
  const { migrations } = STATES[index]!;
  const earlier = STATES.slice(0, index).findLastIndex((state) =>
    [...state.migrations].every(([file, text]) => migrations.get(file) === text),
  );
  await admin.query(`create database ${nameOf(index)} template ${nameOf(earlier)} strategy file_copy`);
  await withClient(urlOf(nameOf(index)), async (client) => {
    await createMigrations(client);
    const rest = [...migrations].filter(
      ([file]) => earlier === EMPTY || !STATES[earlier]!.migrations.has(file),
    );
    for (const [file, text] of rest.sort(([one], [other]) => (one < other ? -1 : 1))) {
      await client.query(text);
      await client.query('insert into migrations (name) values ($1)', [file]);
    }
  });
}

async function createMigrations(client: pg.Client): Promise<void> {
  await client.query(
    'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
  );
}

async function fill(client: pg.Client, { migrations }: LandedState): Promise<void> {
  const { rows: columns } = await client.query<{ table: string; column: string; identity: boolean }>(
    `select table_name as table, column_name as column, is_identity = 'YES' as identity
     from information_schema.columns where table_schema = 'public'`,
  );
  const has = (table: string, column: string): boolean =>
    columns.some((one) => one.table === table && one.column === column);
  for (const [table, ...rows] of rowsOf(known, logFormOf(migrations))) {
    for (const row of rows) {
      const names = Object.keys(row).filter((column) => has(table, column));
      if (names.length === 0) continue;
      await client.query(
        `insert into ${table} (${names.join(', ')}) overriding system value
         values (${names.map((_, position) => `$${position + 1}`).join(', ')})`,
        names.map((name) => row[name]),
      );
    }
  }
  for (const { table, column, identity } of columns) {
    if (!identity || table === 'events') continue;
    await client.query(
      `select setval(pg_get_serial_sequence('${table}', '${column}'), greatest((select max(${column}) from ${table}), 1))`,
    );
  }
}

function logFormOf(migrations: ReadonlyMap<string, string>): LogForm {
  const text = migrations.get('0018-log-pages.sql') ?? migrations.get('0020-log-pages.sql');
  if (text === undefined) return 'rows';
  return text.includes('json_build_array(text)') ? 'runs' : 'texts';
}

/** By table; of the tables of any of the states none is empty. */
async function countRows(client: pg.Client): Promise<Record<string, number>> {
  const { rows: tables } = await client.query<{ name: string }>(
    `select table_name as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'migrations'`,
  );
  const counts = tables.map(
    ({ name }) => `select '${name}' as name, (select count(*)::int from ${name}) as count`,
  );
  const { rows } = await client.query<{ name: string; count: number }>(counts.join(' union all '));
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

/** Lines become pages; what is only a cache, and workers of days that nobody can go back to, may go. */
function expectedRows({ log_lines: _lines, ...before }: Record<string, number>): Record<string, unknown> {
  return {
    ...before,
    ...('package_file_facts' in before && { package_file_facts: expect.any(Number) }),
    workers: expect.any(Number),
  };
}

async function expectReadable(database: Database, before: Record<string, number>): Promise<void> {
  const requests = await findRequests(database, SYSTEM, {}, { limit: 10 });
  expect(requests.map(({ state }) => state)).toEqual(EXPECTED.states);
  expect(await new Authenticator(database).authenticate(EXPECTED.authorization)).toMatchObject({
    name: 'ada',
  });
  await expectDownloadable(database);
  const subject = (subjectId: number) => ({ subjectType: 'bundle-request', subjectId }) as const;
  expect((await readLog(database, blobs, subject(1), 0)).lines).toEqual(EXPECTED.log);
  if ('package_registries' in before) {
    const { lines } = await readLog(database, blobs, subject(2), 0);
    expect(lines.map(({ text }) => text)).toEqual(EXPECTED.packed);
  }
  if ('tags' in before) await expectPullable(database);
  const next = await submit(database);
  expect(next.id).toBe(6);
  const jobs = await database.sql.query<{ task: string }>(
    'select task_identifier as task from graphile_worker.jobs order by id',
  );
  expect(jobs.map(({ task }) => task)).toEqual(['collect-garbage', 'fetch-source']);
}

async function expectDownloadable(database: Database): Promise<void> {
  const { assembled } = known.bundle;
  const bundle = await findBundle(database.sql, assembled.manifestDigest);
  const hash = createHash('sha256');
  const layout = await openArchive(database.sql, blobs, bundle!);
  for await (const chunk of readArchive(blobs, layout)) hash.update(chunk as Buffer);
  expect(`sha256:${hash.digest('hex')}`).toBe(assembled.archiveDigest);
}

async function expectPullable(database: Database): Promise<void> {
  const settings = readSettings({});
  const registry = openRegistry({ settings, database, blobs });
  try {
    const ada = await new Authenticator(database).authenticate(EXPECTED.authorization);
    const image = parseImageName(EXPECTED.image, settings);
    const manifest = await findManifest(registry, ada, image, { tag: 'v1' });
    expect((await pullManifest(registry, manifest, { tag: 'v1' })).toString()).toBe(known.manifest.text);
  } finally {
    await registry.close();
  }
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
