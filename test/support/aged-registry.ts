import { utimes } from 'node:fs/promises';
import { collectGarbage } from '../../src/domain/garbage/collect-garbage.ts';
import { type Garbage, graceOf } from '../../src/domain/garbage/garbage.ts';
import type { Digest } from '../../src/domain/storage/blob-store.ts';
import type { RegistryStack } from './registry-stack.ts';

/** What the collector removes. */
export async function collect({ database, blobs }: RegistryStack, graceSeconds = 3600): Promise<Garbage> {
  const run = await collectGarbage({ database, blobs, grace: graceOf(graceSeconds), strayFiles: true });
  return run!.removed;
}

const TIMES = {
  blobs: ['created_at'],
  image_blobs: ['touched_at'],
  manifests: ['touched_at', 'discarded_at', 'orphaned_at', 'untagged_at', 'last_pulled_at'],
  upload_sessions: ['active_at'],
  images: ['modified_at'],
  tags: ['modified_at', 'last_pulled_at'],
};

/** As if so many hours had gone by. */
export async function age({ database, blobs }: RegistryStack, hours: number): Promise<void> {
  for (const [table, columns] of Object.entries(TIMES)) {
    const changes = columns.map((column) => `${column} = ${column} - make_interval(hours => $1)`);
    await database.sql.query(`update ${table} set ${changes.join(', ')}`, [hours]);
  }
  for await (const { digest, writtenAt } of blobs.list()) {
    const time = new Date(writtenAt.getTime() - hours * 3_600_000);
    await utimes(blobs.localPath(digest), time, time);
  }
}

export async function isStored({ blobs }: RegistryStack, digest: string): Promise<boolean> {
  return (await blobs.size(digest as Digest)) !== null;
}
