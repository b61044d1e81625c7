import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { runMigrations } from 'graphile-worker';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backUp, type FinishedBackup } from '../../../src/domain/backup/back-up.ts';
import { forgetBackups } from '../../../src/domain/backup/forget-backups.ts';
import { checkBlobs, openBackup, type RestoreOptions, restore } from '../../../src/domain/backup/restore.ts';
import { cancelRequest } from '../../../src/domain/bundle-requests/cancel.ts';
import { readArchive } from '../../../src/domain/bundles/archive-reader.ts';
import { openArchive } from '../../../src/domain/bundles/open-archive.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { type Database, openDatabase } from '../../../src/domain/database/database.ts';
import { migrate } from '../../../src/domain/database/migrate.ts';
import { findBundle } from '../../../src/domain/database/sql/find-bundle.ts';
import { readFeed, readFeedEnd } from '../../../src/domain/database/sql/read-events.ts';
import { collectGarbage } from '../../../src/domain/garbage/collect-garbage.ts';
import { graceOf } from '../../../src/domain/garbage/garbage.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { checkStore } from '../../../src/domain/integrity/check-store.ts';
import type { BlobStore, Digest } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { S3BlobStore } from '../../../src/domain/storage/s3-blob-store.ts';
import { createEmptyDatabase, createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import { TestGateway } from '../../support/gateway.ts';
import { TestRepository } from '../../support/git-repository.ts';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_MANIFEST,
  sha256,
} from '../../support/registry-stack.ts';
import { describeWithS3, type S3Server, startS3Server } from '../../support/s3-server.ts';
import { catalogue } from '../database/upgrades/catalogue.ts';

const IMAGE = 'apps/images/web';
const signal = new AbortController().signal;

let gateway: TestGateway;
let directory: string;
let complete: number;
let queued: number;
let manifest: string;
let repository: TestRepository;
let made: FinishedBackup;
/** Of a subscriber, before something happened that is in the backup, and after it. */
let cursors: { before: string; after: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-backups-'));
  gateway = await TestGateway.start({ worker: true });
  const { stack } = gateway;
  repository = new TestRepository({ 'README.md': 'hello' });
  const source = { repository: repository.path, ref: repository.head, packageManagers: [] };
  const done = await stack.run(source);
  expect(done.state).toBe('complete');
  complete = done.id;
  await stack.worker.stop(0);
  // Of a cluster that has lived for a long time.
  await stack.database.sql.query(`update events set txid = '900000000000'`);
  queued = (await stack.submit(source)).id;
  await stack.database.sql.query(`update events set txid = '900000000001' where txid < '900000000000'`);
  cursors = { before: '900000000000.0', after: '900000009999.5' };
  manifest = await pushImage();
  await mkdir(join(stack.settings.dataDir, 'keys', 'retired'), { recursive: true });
  await writeFile(join(stack.settings.dataDir, 'keys', 'retired', 'old.pem'), 'an old key\n');
  // From here on nothing changes by itself, so that rows can be compared.
  await gateway.stop();
  made = await backUp(source_());
}, 180_000);
afterAll(async () => {
  await gateway.stack.close();
  await rm(directory, { recursive: true, force: true });
});

/** What is backed up, and where to. */
function source_() {
  const { database, blobs, settings } = gateway.stack;
  return { database, blobs, settings, directory, signal };
}

async function pushImage(): Promise<string> {
  const headers = gateway.headers('admin');
  for (const bytes of ['{}', 'a layer']) {
    const path = `/v2/${IMAGE}/blobs/uploads/?digest=${sha256(bytes)}`;
    const { status } = await fetch(`${gateway.url}${path}`, { method: 'POST', headers, body: bytes });
    expect(status).toBe(201);
  }
  const text = JSON.stringify(
    imageManifest({ config: descriptor('{}', OCI_CONFIG), layers: [descriptor('a layer', OCI_LAYER)] }),
  );
  const type = { 'content-type': OCI_MANIFEST };
  const url = `${gateway.url}/v2/${IMAGE}/manifests/v1`;
  expect((await fetch(url, { method: 'PUT', headers: { ...headers, ...type }, body: text })).status).toBe(
    201,
  );
  return text;
}

describe('a restored copy', () => {
  let url: string;
  let dataDir: string;
  let blobs: FileBlobStore;
  let database: Database;

  beforeAll(async () => {
    url = await createEmptyDatabase();
    dataDir = await mkdtemp(join(tmpdir(), 'stowage-restored-'));
    blobs = new FileBlobStore(join(dataDir, 'blobs'));
    const result = await restore(await into({ url, blobs, settings: { dataDir } }));
    expect(result).toEqual({ ...made.copied, present: 0, damaged: [] });
    expect(await migrate(url)).toEqual({ applied: [], pending: [] });
    database = await openDatabase({ url, connections: 3 });
  });
  afterAll(async () => {
    await database.close();
    await dropTestDatabase(url);
    await rm(dataDir, { recursive: true, force: true });
  });

  test('has the same rows in the same tables, and says in the audit log that it was restored', async () => {
    const rows = made.description.tables.filter(({ name }) => name !== 'audit_log');
    expect(rows.length).toBeGreaterThan(50);
    for (const { name, columns } of rows) {
      const text = `select md5(coalesce(string_agg(one::text, ',' order by one::text), '')) as sum
        from (select ${columns.join(', ')} from ${name}) one`;
      const [theirs, ours] = [await gateway.stack.database.sql.query(text), await database.sql.query(text)];
      expect([name, ours]).toEqual([name, theirs]);
    }
    const [entry] = await database.sql.query(
      'select action, address, details from audit_log order by id desc limit 1',
    );
    expect(entry).toEqual({
      action: 'restore',
      address: 'command',
      details: { backup: made.path, madeAt: made.description.madeAt, version: made.description.version },
    });
  });

  test('has the schema of a fresh database', async () => {
    const other = await createTestDatabase();
    const fresh = await openDatabase({ url: other, connections: 1 });
    // How far the feed was moved is kept in a function.
    const lines = async (of: Database): Promise<string[]> =>
      (await catalogue(of.sql)).filter((line) => !line.includes('FUNCTION public.feed_offset()'));
    expect(await lines(database)).toEqual(await lines(fresh));
    await fresh.close();
    await dropTestDatabase(other);
  });

  test('has every byte that its rows name', async () => {
    const report = await checkStore({ database, blobs, reportOnly: true });
    expect(report).toMatchObject({ blobs: made.description.blobs.count, damaged: [] });
    const [row] = await database.sql.query<{ digest: Digest }>(
      'select bundle_digest as digest from bundle_requests where id = $1',
      [complete],
    );
    const bundle = (await findBundle(database.sql, row!.digest))!;
    const hash = createHash('sha256');
    const layout = await openArchive(database.sql, blobs, bundle);
    for await (const chunk of readArchive(blobs, layout)) hash.update(chunk as Buffer);
    expect(`sha256:${hash.digest('hex')}`).toBe(bundle.archiveDigest);
  });

  test('has the keys, for their owner only', async () => {
    const path = join(dataDir, 'keys', 'provenance.pem');
    expect(await readFile(path, 'utf8')).toBe(
      await readFile(join(gateway.stack.settings.dataDir, 'keys', 'provenance.pem'), 'utf8'),
    );
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(join(dataDir, 'keys', 'retired', 'old.pem'), 'utf8')).toBe('an old key\n');
  });

  test('serves its images, goes on with what was queued, and tells subscribers what happens', {
    timeout: 60_000,
  }, async () => {
    const restored = await openedAgain(url, dataDir);
    try {
      const pulled = await fetch(`${restored.url}/v2/${IMAGE}/manifests/v1`, {
        headers: gateway.headers('ada'),
      });
      expect([pulled.status, await pulled.text()]).toEqual([200, manifest]);
      expect((await restored.stack.untilFinal(queued)).state).toBe('complete');
      const next = await restored.stack.submit({
        repository: repository.path,
        ref: 'main',
        packageManagers: [],
      });
      expect(next.id).toBe(queued + 1);
      const { sql } = restored.stack.database;
      const settled = async (): Promise<string[]> => {
        const events = await readFeed(sql, 'bundle-request', cursors.before, 500);
        return events
          .filter(({ type }) => type === 'state')
          .map(({ subjectId, data }) => `${subjectId} ${data.state}`);
      };
      await expect.poll(settled).toContain(`${next.id} in_progress`);
      expect(await settled()).toEqual(
        expect.arrayContaining([`${queued} in_progress`, `${queued} complete`]),
      );
      // Who saw something that is lost sees all that comes.
      const later = await readFeed(sql, 'bundle-request', cursors.after, 500);
      expect(later[0]).toMatchObject({ subjectId: queued });
      const { cursor } = await readFeedEnd(sql);
      expect(BigInt(cursor.split('.')[0]!)).toBeGreaterThan(900_000_009_999n);
    } finally {
      await restored.close();
    }
  });
});

/** A gateway and a worker on a restored database; its users are those of the original. */
async function openedAgain(url: string, dataDir: string) {
  const { startGateway } = await import('../../../src/gateway/server.ts');
  const { startWorker } = await import('../../../src/workers/runner.ts');
  const { EventHub } = await import('../../../src/domain/events/event-hub.ts');
  const { Authenticator } = await import('../../../src/domain/identity/authenticate.ts');
  const { submitRequest } = await import('../../../src/domain/bundle-requests/submit.ts');
  const { findRequest } = await import('../../../src/domain/database/sql/bundle-request-rows.ts');
  const database = await openDatabase({ url, connections: 5 });
  const hub = new EventHub(database);
  await hub.start();
  const settings = readSettings({
    STOWAGE_DATA_DIR: dataDir,
    STOWAGE_PORT: '0',
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
  });
  const parts = {
    settings,
    database,
    hub,
    blobs: new FileBlobStore(join(dataDir, 'blobs')),
    logger: pino({ level: 'silent' }),
  };
  const server = await startGateway({ ...parts, authenticator: new Authenticator(database) });
  const worker = await startWorker(parts);
  return {
    url: server.url,
    stack: {
      database,
      submit: (submission: Parameters<typeof submitRequest>[3]) =>
        submitRequest(database, settings, SYSTEM, submission),
      untilFinal: async (id: number) => {
        for await (const event of hub.subject('bundle-request', id, 0, AbortSignal.timeout(50_000))) {
          if (event.type === 'state' && event.data.state !== 'in_progress') break;
        }
        return (await findRequest(database.sql, id))!;
      },
    },
    async close() {
      await worker.stop(0);
      await server.close();
      await hub.close();
      await database.close();
    },
  };
}

async function into(
  target: Pick<RestoreOptions, 'url' | 'blobs' | 'settings'> & Partial<RestoreOptions>,
  from = directory,
): Promise<RestoreOptions> {
  return {
    backup: await openBackup(from, null, signal),
    keepOtherBlobs: false,
    prepareQueue: (connectionString) => runMigrations({ connectionString }),
    signal,
    ...target,
  };
}

describe('a target', () => {
  let url: string;
  let dataDir: string;
  let blobs: FileBlobStore;
  let copy: string;

  beforeEach(async () => {
    url = await createEmptyDatabase();
    dataDir = await mkdtemp(join(tmpdir(), 'stowage-target-'));
    blobs = new FileBlobStore(join(dataDir, 'blobs'));
    copy = join(dataDir, 'backups');
  });
  afterEach(async () => {
    await dropTestDatabase(url);
    await rm(dataDir, { recursive: true, force: true });
  });

  const restored = async (more: Partial<RestoreOptions> = {}, from = directory) =>
    await restore(await into({ url, blobs, settings: { dataDir }, ...more }, from));
  /** A backup of its own, to be damaged. */
  const anotherBackup = () => backUp({ ...source_(), directory: copy });

  test('that is not empty is refused: the database', async () => {
    const taken = await createTestDatabase();
    await expect(restored({ url: taken })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/^The database is not empty: it has \w+, \w+, \w+, …$/),
    });
    await dropTestDatabase(taken);
    expect(await digestsIn(blobs)).toEqual([]);
  });

  test('that is not empty is refused: the store, unless it may have others', async () => {
    const { digest } = await blobs.write(Buffer.from('of somebody else'));
    await expect(restored()).rejects.toMatchObject({
      code: 'conflict',
      message: 'The blob store has 1 blobs that are not of this backup',
    });
    expect(await restored({ keepOtherBlobs: true })).toMatchObject({ damaged: [] });
    expect(await blobs.size(digest)).not.toBe(null);
  });

  test('that is not empty is refused: another key', async () => {
    await mkdir(join(dataDir, 'keys'));
    await writeFile(join(dataDir, 'keys', 'provenance.pem'), 'another key');
    await expect(restored()).rejects.toMatchObject({
      code: 'conflict',
      message: `There is another key already: ${join(dataDir, 'keys', 'provenance.pem')}`,
    });
    expect(await digestsIn(blobs)).toEqual([]);
  });

  test('of a restore that was broken off is empty, and is filled by the next', async () => {
    const ending = new AbortController();
    let tables = 0;
    const onTable = (): void => {
      tables += 1;
      if (tables === 20) ending.abort(new Error('broken off'));
    };
    await expect(restored({ signal: ending.signal, onTable })).rejects.toThrow('broken off');
    const { count } = made.description.blobs;
    expect(await restored()).toEqual({ copied: 0, bytes: 0, present: count, damaged: [] });
    await expect(restored()).rejects.toMatchObject({ code: 'conflict' });
  });

  test.each<[string, (path: string) => void, RegExp]>([
    [
      'a table',
      (path) => truncateSync(join(path, 'tables/users.copy.gz'), 30),
      /tables\/users\.copy\.gz is not what it was$/,
    ],
    [
      'the description',
      (path) => writeFileSync(join(path, 'backup.json'), '{}'),
      /backup\.json is not what it was$/,
    ],
    [
      'the list of blobs',
      (path) => writeFileSync(join(path, 'blobs.txt.gz'), gzipSync('')),
      /blobs\.txt\.gz is not what it was$/,
    ],
    [
      'the checksums',
      (path) => truncateSync(join(path, 'SHA256SUMS'), 0),
      /SHA256SUMS does not name backup\.json$/,
    ],
    [
      'a line of them',
      (path) => writeFileSync(join(path, 'SHA256SUMS'), `${'0'.repeat(64)}  ../x\n`),
      /SHA256SUMS is not what it was$/,
    ],
    [
      'a key',
      (path) => writeFileSync(join(path, 'keys/provenance.pem'), ''),
      /keys\/provenance\.pem is not what it was$/,
    ],
  ])('is not touched by a backup in which %s is damaged', async (_, damage, message) => {
    const { path } = await anotherBackup();
    damage(path);
    await expect(restored({}, copy)).rejects.toMatchObject({
      code: 'checksum-mismatch',
      message: expect.stringMatching(message),
    });
    expect(await digestsIn(blobs)).toEqual([]);
  });

  test('gets no database when a blob of the backup is damaged or missing', async () => {
    const { path } = await anotherBackup();
    const stored = new FileBlobStore(join(copy, 'blobs'));
    const digests = (await digestsIn(stored)).sort();
    const [damaged, missing] = digests as [Digest, Digest];
    const file = stored.localPath(damaged);
    const bytes = await readFile(file);
    chmodSync(file, 0o600);
    await writeFile(file, Buffer.alloc(bytes.length));
    await stored.delete(missing);
    const message = (parts: readonly string[]) => `The backup ${path} is damaged: ${parts.join(', ')}`;
    const backup = await openBackup(copy, null, signal);
    await expect(checkBlobs(backup, { signal })).rejects.toMatchObject({
      code: 'checksum-mismatch',
      message: message([`damaged ${damaged}`, `missing ${missing}`]),
    });
    await expect(restored({}, copy)).rejects.toMatchObject({
      code: 'checksum-mismatch',
      message: expect.stringMatching(new RegExp(`damaged ${damaged}`)),
    });
    // Whole again, it goes on.
    await writeFile(file, bytes);
    await stored.write(gateway.stack.blobs.read(missing));
    await checkBlobs(backup, { signal });
    const { count } = made.description.blobs;
    expect(await restored({}, copy)).toMatchObject({ copied: 2, present: count - 2 });
  });

  test('is not touched by a backup of a later release, or of another queue', async () => {
    const { path } = await anotherBackup();
    const change = async (more: object): Promise<void> => {
      const text = JSON.stringify({ ...made.description, ...more });
      const sums = await readFile(join(path, 'SHA256SUMS'), 'utf8');
      await writeFile(join(path, 'backup.json'), text);
      const sum = createHash('sha256').update(text).digest('hex');
      await writeFile(
        join(path, 'SHA256SUMS'),
        sums.replace(/^\w+ {2}backup\.json$/m, `${sum}  backup.json`),
      );
    };
    await change({ migrations: [...made.description.migrations, '9999-later.sql'] });
    await expect(restored({}, copy)).rejects.toMatchObject({
      code: 'invalid-input',
      message: `The backup is of a later release (${made.description.version}): 9999-later.sql`,
    });
    await change({ format: 2 });
    await expect(restored({}, copy)).rejects.toMatchObject({
      message: 'The backup has format 2; this release reads 1',
    });
    await change({ queueMigration: 999 });
    await expect(restored({}, copy)).rejects.toMatchObject({ code: 'invalid-input' });
    await change({});
    expect(await restored({}, copy)).toMatchObject({ damaged: [] });
  });

  test('gets all that there was where the store had lost something before', async () => {
    const [lost] = [await gateway.stack.blobs.write(Buffer.from(randomBytes(8)))];
    const { sql } = gateway.stack.database;
    await sql.query('insert into blobs (digest, size, crc32) values ($1, $2, $3)', [
      lost.digest,
      lost.size,
      lost.crc32,
    ]);
    await gateway.stack.blobs.delete(lost.digest);
    try {
      const { description } = await anotherBackup();
      expect(description.blobs.lost).toEqual([{ digest: lost.digest, problem: 'missing' }]);
      await restored({}, copy);
      const database = await openDatabase({ url, connections: 1 });
      const { damaged } = await checkStore({ database, blobs, reportOnly: true });
      expect(damaged).toMatchObject([{ digest: lost.digest, problem: 'missing' }]);
      await database.close();
    } finally {
      await sql.query('delete from blobs where digest = $1', [lost.digest]);
    }
  });

  describeWithS3('with S3', () => {
    let s3: S3Server;
    beforeAll(async () => {
      s3 = await startS3Server();
    });
    afterAll(() => s3.stop());

    test('gets the blobs into a bucket, and from it into another backup', async () => {
      const bucket: BlobStore = new S3BlobStore(s3.location('restored'));
      const { count } = made.description.blobs;
      expect(await restored({ blobs: bucket })).toMatchObject({ copied: count, damaged: [] });
      const database = await openDatabase({ url, connections: 3 });
      const again = await backUp({ ...source_(), database, blobs: bucket, directory: copy });
      expect(again).toMatchObject({
        copied: { copied: count, present: 0 },
        description: { blobs: { count, lost: [] } },
      });
      await database.close();
    });
  });
});

describe('a backup', () => {
  let own: string;
  beforeEach(async () => {
    own = await mkdtemp(join(tmpdir(), 'stowage-backup-'));
    return () => rm(own, { recursive: true, force: true });
  });

  test('is for its owner only, and its rows are as COPY writes them', async () => {
    const { path } = await backUp({ ...source_(), directory: join(own, 'new') });
    const modeOf = async (name: string): Promise<number> => (await stat(join(path, name))).mode & 0o777;
    expect(await Promise.all(['..', '.', 'tables', 'keys'].map(modeOf))).toEqual([
      0o700, 0o700, 0o700, 0o700,
    ]);
    const files = [
      'SHA256SUMS',
      'backup.json',
      'blobs.txt.gz',
      'tables/users.copy.gz',
      'keys/provenance.pem',
    ];
    expect(await Promise.all(files.map(modeOf))).toEqual(files.map(() => 0o600));
    const rows = gunzipSync(await readFile(join(path, 'tables/project_members.copy.gz'))).toString();
    expect(rows).toMatch(
      /^(\d+\t\d+\t(developer|viewer|owner)\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*\+00\n)+$/,
    );
  });

  test('copies what an earlier one has not', async () => {
    const first = await backUp({ ...source_(), directory: own });
    const { count } = first.description.blobs;
    const { digest, size, crc32 } = await gateway.stack.blobs.write(Buffer.from('something new'));
    const { sql } = gateway.stack.database;
    await sql.query('insert into blobs (digest, size, crc32) values ($1, $2, $3)', [digest, size, crc32]);
    const second = await backUp({ ...source_(), directory: own });
    await sql.query('delete from blobs where digest = $1', [digest]);
    expect(second.copied).toEqual({ copied: 1, bytes: 13, present: count });
    expect((await openBackup(own, null, signal)).path).toBe(second.path);
    const name = first.path.slice(own.length + 1);
    expect((await openBackup(own, name, signal)).path).toBe(first.path);
    await expect(openBackup(own, '20200101T000000Z', signal)).rejects.toMatchObject({
      code: 'not-found',
      hint: `The newest one is ${second.path.slice(own.length + 1)}.`,
    });
  });

  test('goes, with the blobs that only it needs, when newer ones are to be kept', async () => {
    const { sql } = gateway.stack.database;
    const make = async (text: string): Promise<{ name: string; digest: Digest }> => {
      const { digest, size, crc32 } = await gateway.stack.blobs.write(Buffer.from(text));
      await sql.query('insert into blobs (digest, size, crc32) values ($1, $2, $3)', [digest, size, crc32]);
      const { path } = await backUp({ ...source_(), directory: own });
      await sql.query('delete from blobs where digest = $1', [digest]);
      return { name: path.slice(own.length + 1), digest };
    };
    const all = [await make('of the first'), await make('of the second'), await make('of the third')];
    const [first, second, third] = all.map(({ name }) => name) as [string, string, string];
    const store = new FileBlobStore(join(own, 'blobs'));
    const left = async () =>
      (await Promise.all(all.map(({ digest }) => store.size(digest)))).map((size) => size !== null);
    const forget = (keep: number) => forgetBackups(own, { keep, signal });
    expect(await forget(3)).toEqual({ backups: [], blobs: 0 });
    await mkdir(join(own, '.20200101T000000Z'));
    expect(await forget(2)).toEqual({ backups: [first], blobs: 0 });
    expect(await left()).toEqual([true, true, true]);
    await utimes(join(own, '.20200101T000000Z'), 0, 0);
    expect(await forget(2)).toEqual({ backups: [], blobs: 1 });
    expect(await left()).toEqual([false, true, true]);
    expect(await forget(1)).toEqual({ backups: [second], blobs: 1 });
    expect(await readdir(own)).toEqual([third, 'blobs']);
    await checkBlobs(await openBackup(own, null, signal), { signal });
  });

  test('that is broken off leaves nothing that looks like one', async () => {
    const ending = new AbortController();
    const onTable = (): void => ending.abort(new Error('broken off'));
    await expect(backUp({ ...source_(), directory: own, signal: ending.signal, onTable })).rejects.toThrow(
      'broken off',
    );
    expect(await readdir(own)).toEqual([]);
    await expect(openBackup(own, null, signal)).rejects.toMatchObject({ code: 'not-found', hint: null });
    const { path } = await backUp({ ...source_(), directory: own });
    const name = path.slice(own.length + 1);
    // As one that was killed.
    await rename(path, join(own, `.${name}`));
    await expect(openBackup(own, null, signal)).rejects.toMatchObject({
      message: `There is no complete backup in ${own}`,
      hint: `.${name} has not been finished.`,
    });
    await expect(openBackup(join(own, 'nowhere'), null, signal)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is refused where the database is newer', async () => {
    const { sql } = gateway.stack.database;
    await sql.query(`insert into migrations (name) values ('9999-later.sql')`);
    await expect(backUp({ ...source_(), directory: own })).rejects.toMatchObject({
      code: 'conflict',
      message: 'The database is newer than this release: 9999-later.sql',
    });
    await sql.query(`delete from migrations where name = '9999-later.sql'`);
    expect(await readdir(own)).toEqual([]);
  });

  test('has all that its rows name, whatever is removed meanwhile', async () => {
    const { database, blobs } = gateway.stack;
    const { sql } = database;
    const uploads: Digest[] = [];
    for (const text of ['named', 'to be forgotten']) {
      const { digest, size, crc32 } = await blobs.write(Buffer.from(text));
      await sql.query(
        `insert into blobs (digest, size, crc32, created_at) values ($1, $2, $3, now() - interval '1 day')`,
        [digest, size, crc32],
      );
      uploads.push(digest);
    }
    // Nothing is spared for those that are at work, nor because it was written just now.
    for (const { id } of await sql.query<{ id: number }>(
      `select id from bundle_requests where state = 'in_progress'`,
    )) {
      await cancelRequest(database, SYSTEM, id);
    }
    const collect = () =>
      collectGarbage({ database, blobs: aged(blobs), grace: graceOf(0), strayFiles: true });
    let collected: Promise<unknown> | null = null;
    const rowsLeft = async (): Promise<number> =>
      (await sql.query('select from blobs where digest = any ($1::text[])', [uploads])).length;
    const onTable = (): void => {
      // The moment of the rows has passed.
      collected ??= collect();
    };
    const onBlobs = (): void => undefined;
    const waiting = {
      ...source_(),
      directory: own,
      blobs: afterwards(blobs, () => collected!),
      onTable,
      onBlobs,
    };
    const { description } = await backUp(waiting);
    expect(await rowsLeft()).toBe(0);
    expect(description.blobs.lost).toEqual([]);
    const kept = new FileBlobStore(join(own, 'blobs'));
    for (const digest of uploads) expect(await kept.size(digest)).not.toBe(null);
    for (const digest of uploads) expect(await blobs.size(digest)).not.toBe(null);
    await collect();
    for (const digest of uploads) expect(await blobs.size(digest)).toBe(null);
  });
});

async function digestsIn(store: BlobStore): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const { digest } of store.list()) digests.push(digest);
  return digests;
}

/** A store whose blobs were all written long ago. */
function aged(store: FileBlobStore): FileBlobStore {
  const old: Pick<BlobStore, 'list' | 'delete'> = {
    async *list() {
      for await (const one of store.list()) yield { ...one, writtenAt: new Date(0) };
    },
    delete: (digest) => store.delete(digest),
  };
  return Object.assign(Object.create(store) as FileBlobStore, old);
}

/** A store that is read when something is over. */
function afterwards(store: FileBlobStore, over: () => Promise<unknown>): FileBlobStore {
  const late: Pick<BlobStore, 'read'> = {
    read: (digest) =>
      Readable.from(
        (async function* () {
          await over();
          yield* store.read(digest);
        })(),
      ),
  };
  return Object.assign(Object.create(store) as FileBlobStore, late);
}
