import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { prepareDatabase } from '../../src/cli/prepare-database.ts';
import { startEmbeddedPostgres } from '../../src/domain/database/embedded-postgres.ts';
import { makeRunDirectory } from './run-directory.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    /** For go commands of tests: compiling the standard library takes seconds, and once is enough. */
    goBuildCache: string;
  }
}

/**
 * One volatile cluster for the run, with a migrated template from which every test file gets its own database, and one
 * directory for everything temporary: nothing stays behind, also of a test that was ended.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await makeRunDirectory();
  const usualTemporary = process.env.TMPDIR;
  process.env.TMPDIR = join(directory, 'tmp');
  await mkdir(process.env.TMPDIR);
  await chmod(process.env.TMPDIR, 0o1777);
  // Of the code of Stowage and its libraries: every process of the run would compile it anew.
  process.env.NODE_COMPILE_CACHE = join(directory, 'compiled');
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
  project.provide('goBuildCache', join(directory, 'go-build'));

  return async () => {
    await server.stop({ evenIfUsed: true });
    delete process.env.NODE_COMPILE_CACHE;
    if (usualTemporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usualTemporary;
    // Processes of tests that end just now may still leave there what they have compiled.
    await rm(directory, { recursive: true, force: true, maxRetries: 20 });
  };
}
