import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from '../../src/domain/database/database.ts';
import { deleteUnreferencedBlobs } from '../../src/domain/database/sql/delete-unreferenced-blobs.ts';
import type { BlobStore, Digest } from '../../src/domain/storage/blob-store.ts';

/** What nothing should leave behind: every list is empty when all is well. */
export interface Leftovers {
  temporaryFiles: string[];
  /** Files of the store without a row. */
  unnamedBlobs: string[];
  /** Rows without a file. */
  missingBlobs: string[];
  /** Rows that nothing references. */
  unreferencedBlobs: string[];
  claims: string[];
  lockedJobs: string[];
}

export const NO_LEFTOVERS: Leftovers = {
  temporaryFiles: [],
  unnamedBlobs: [],
  missingBlobs: [],
  unreferencedBlobs: [],
  claims: [],
  lockedJobs: [],
};

export async function leftovers(
  database: Pick<Database, 'sql' | 'transaction'>,
  blobs: BlobStore,
  dataDir: string,
): Promise<Leftovers> {
  const inStore: Digest[] = [];
  for await (const { digest } of blobs.list()) inStore.push(digest);
  const rows = await database.sql.query<{ digest: Digest }>('select digest from blobs');
  const named = new Set(rows.map((row) => row.digest));
  const present = new Set(inStore);
  const claims = await database.sql.query<{ key: string }>('select key from artifact_claims');
  const jobs = await database.sql.query<{ key: string }>(
    'select key from graphile_worker.jobs where locked_at is not null',
  );
  return {
    temporaryFiles: [
      // Each worker has a directory there for as long as it runs.
      ...(await names(join(dataDir, 'tmp'))).filter((name) => name.includes('/')),
      ...(await names(join(dataDir, 'blobs', 'tmp'))),
    ],
    unnamedBlobs: inStore.filter((digest) => !named.has(digest)),
    missingBlobs: [...named].filter((digest) => !present.has(digest)),
    unreferencedBlobs: await unreferenced(database),
    claims: claims.map((claim) => claim.key),
    lockedJobs: jobs.map((job) => job.key),
  };
}

async function names(directory: string): Promise<string[]> {
  return await readdir(directory, { recursive: true }).catch(() => []);
}

/** What the garbage collection would delete if it waited for nothing; nothing is deleted. */
async function unreferenced({ transaction }: Pick<Database, 'transaction'>): Promise<Digest[]> {
  const undone = new Error('undone');
  const found: Digest[] = [];
  await transaction(async ({ sql }) => {
    for await (const page of deleteUnreferencedBlobs(sql, -3600))
      found.push(...page.map(({ digest }) => digest));
    throw undone;
  }).catch((error: unknown) => {
    if (error !== undone) throw error;
  });
  return found;
}
