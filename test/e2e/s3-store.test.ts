import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/domain/database/database.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import type { TestRepository } from '../support/git-repository.ts';
import { describeWithS3, type S3Server, startS3Server } from '../support/s3-server.ts';
import { StowageCommand, stowage } from '../support/stowage-command.ts';
import { startThreeManagers, type ThreeManagers } from '../support/three-managers.ts';

/** A gateway and workers as processes of their own, each with a data directory of its own. */
class Deployment {
  readonly #url: string;
  readonly #database: Database;
  readonly #directory: string;
  readonly #environment: Record<string, string>;
  readonly #processes: StowageCommand[] = [];
  gatewayUrl = '';

  private constructor(
    url: string,
    database: Database,
    directory: string,
    environment: Record<string, string>,
  ) {
    this.#url = url;
    this.#database = database;
    this.#directory = directory;
    this.#environment = environment;
  }

  static async start(environment: Record<string, string>, workers: number): Promise<Deployment> {
    const directory = await mkdtemp(join(tmpdir(), 'stowage-deployment-'));
    const url = await createTestDatabase();
    const database = await openDatabase({ url, connections: 1 });
    const deployment = new Deployment(url, database, directory, environment);
    const gateway = deployment.#run('gateway', 'gateway');
    for (let index = 0; index < workers; index++) deployment.#run('worker', `worker-${index}`);
    deployment.gatewayUrl = (await gateway.until(/ready on (http:\S+)/))[1]!;
    return deployment;
  }

  /** Of a process of this deployment, with the data directory of this name. */
  environment(name: string): Record<string, string> {
    return {
      DATABASE_URL: this.#url,
      STOWAGE_DATA_DIR: join(this.#directory, name),
      STOWAGE_PORT: '0',
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
      STOWAGE_CACHITO_LOGIN_DISABLED: 'true',
      ...this.#environment,
    };
  }

  hasLocalBlobs(name: string): boolean {
    return existsSync(join(this.#directory, name, 'blobs'));
  }

  async submit(repository: TestRepository): Promise<number> {
    const body = { repo: repository.path, ref: repository.head, pkg_managers: ['gomod', 'npm', 'pip'] };
    const answer = await fetch(`${this.gatewayUrl}/api/v1/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { id: number }).id;
  }

  async state(id: number): Promise<{ state: string; state_reason: string; packages?: unknown }> {
    const answer = await fetch(`${this.gatewayUrl}/api/v1/requests/${id}`);
    return (await answer.json()) as { state: string; state_reason: string };
  }

  async untilComplete(id: number): Promise<void> {
    await expect
      .poll(async () => (await this.state(id)).state, { timeout: 90_000, interval: 100 })
      .not.toBe('in_progress');
    expect(await this.state(id)).toMatchObject({ state: 'complete' });
  }

  async download(id: number, range?: string): Promise<Buffer> {
    const headers = range === undefined ? {} : { range };
    const answer = await fetch(`${this.gatewayUrl}/api/v1/requests/${id}/download`, { headers });
    expect(answer.status).toBe(range === undefined ? 200 : 206);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** Of jobs that wait for their next attempt. */
  async jobErrors(): Promise<string[]> {
    const rows = await this.#database.sql.query<{ error: string }>(
      'select last_error as error from graphile_worker.jobs where last_error is not null',
    );
    return rows.map((row) => row.error);
  }

  async stop(): Promise<void> {
    await this.#database.close();
    for (const process of this.#processes) await process.end('SIGTERM');
    await dropTestDatabase(this.#url);
    await rm(this.#directory, { recursive: true, force: true });
  }

  #run(command: string, name: string): StowageCommand {
    const process = new StowageCommand([command], { env: this.environment(name) });
    this.#processes.push(process);
    return process;
  }
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Issue 7: the state is in PostgreSQL and in S3, and on no disk. */
describeWithS3('bundles on S3', { timeout: 180_000 }, () => {
  let s3: S3Server;
  let source: ThreeManagers;
  let deployment: Deployment;
  let number: number;
  let archive: Buffer;

  beforeAll(async () => {
    s3 = await startS3Server();
    source = await startThreeManagers();
    deployment = await Deployment.start({ ...source.environment, ...s3.environment() }, 2);
  }, 120_000);
  afterAll(async () => {
    await deployment?.stop();
    await source.close();
    await s3.stop();
  });

  test('two workers and a gateway without a shared disk make a bundle', async () => {
    number = await deployment.submit(source.repository);
    await deployment.untilComplete(number);
    archive = await deployment.download(number);
    expect(archive.length).toBeGreaterThan(10_000);
    expect((await deployment.download(number, 'bytes=1000-2999')).equals(archive.subarray(1000, 3000))).toBe(
      true,
    );
    for (const name of ['gateway', 'worker-0', 'worker-1']) {
      expect([name, deployment.hasLocalBlobs(name)]).toEqual([name, false]);
    }
    expect((await s3.objects()).filter((key) => !/^blobs\/(sha256\/|check$)/.test(key))).toEqual([]);
  });

  test('it is the bundle that files give', async () => {
    const onFiles = await Deployment.start(
      { ...source.environment, STOWAGE_BLOB_STORE: `file:${join(s3.directory, 'files')}` },
      1,
    );
    try {
      const id = await onFiles.submit(source.repository);
      await onFiles.untilComplete(id);
      expect(sha256(await onFiles.download(id))).toBe(sha256(archive));
    } finally {
      await onFiles.stop();
    }
  });

  test('the store is checked and swept as files are', async () => {
    const env = deployment.environment('commands');
    const fsck = await stowage(['fsck', '--json'], { env });
    expect([fsck.status, JSON.parse(fsck.stdout)]).toMatchObject([0, { damaged: [] }]);
    const gc = await stowage(['gc', '--grace', '1h'], { env });
    expect([gc.status, gc.stdout]).toEqual([0, 'nothing to remove\n']);
    const doctor = await stowage(['doctor'], { env });
    expect(doctor.stdout).toMatch(/blob store.*s3:\/\/stowage\/blobs, writable/);
  });

  test('a request that is submitted while S3 is away completes when it is back', async () => {
    source.repository.commit({ 'README.md': 'Something new.\n' });
    await s3.kill();
    const id = await deployment.submit(source.repository);
    // A worker has tried, and left the request as it was.
    await expect
      .poll(() => deployment.jobErrors(), { timeout: 60_000, interval: 200 })
      .toContainEqual(expect.stringMatching(/The blob store does not do what it is asked for: ECONNREFUSED/));
    expect(await deployment.state(id)).toMatchObject({ state: 'in_progress' });
    await s3.start();
    await deployment.untilComplete(id);
    expect((await deployment.download(id)).length).toBeGreaterThan(10_000);
  });
});
