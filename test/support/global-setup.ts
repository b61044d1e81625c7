import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { prepareDatabase } from '../../src/cli/prepare-database.ts';
import { startEmbeddedPostgres } from '../../src/domain/database/embedded-postgres.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
  }
}

/**
 * One volatile cluster for the run, with a migrated template from which every test file gets its own database, and one
 * directory for everything temporary: nothing stays behind, also of a test that was ended.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-test-'));
  // Users that a test becomes may look into it, as they may into the system's.
  await chmod(directory, 0o755);
  const usualTemporary = process.env.TMPDIR;
  process.env.TMPDIR = join(directory, 'tmp');
  await mkdir(process.env.TMPDIR);
  await chmod(process.env.TMPDIR, 0o1777);
  const server = await startEmbeddedPostgres({ dataDir: directory, volatile: true });
  const admin = new URL(server.url);
  admin.pathname = '/postgres';
  const template = new URL(server.url);
  template.pathname = '/template_migrated';

  const client = new pg.Client({ connectionString: admin.href });
  await client.connect();
  await client.query('create database template_migrated');
  await prepareDatabase(template.href);
  await client.query('alter database template_migrated is_template true allow_connections false');
  await client.end();
  project.provide('postgresUrl', admin.href);

  return async () => {
    await server.stop({ evenIfUsed: true });
    if (usualTemporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usualTemporary;
    await rm(directory, { recursive: true, force: true });
  };
}
