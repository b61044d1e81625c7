import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { recordBlobs } from '../../../src/domain/database/sql/record-blobs.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { scrubStore } from '../../../src/workers/tasks/scrub-store.ts';
import type { WorkerContext } from '../../../src/workers/worker-context.ts';
import { testDatabase } from '../../support/database.ts';

test('what was changed in the store is set aside and named in the log; what is whole stays', async () => {
  const root = await mkdtemp(join(tmpdir(), 'scrub-'));
  const database = await testDatabase();
  try {
    const blobs = new FileBlobStore(root);
    const [whole, changed] = [
      await blobs.write(Buffer.from('whole')),
      await blobs.write(Buffer.from('changed')),
    ];
    await recordBlobs(database.sql, [whole, changed]);
    const path = blobs.localPath(changed.digest);
    await chmod(path, 0o644);
    await writeFile(path, 'CHANGED');

    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const context = { database, blobs, logger, shutdown: new AbortController().signal };
    await scrubStore(context as unknown as WorkerContext)({}, undefined as never);

    expect(await blobs.size(whole.digest)).toBe(5);
    expect(await blobs.size(changed.digest)).toBeNull();
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 50, msg: 'a blob of the store is changed', digest: changed.digest },
      { level: 30, msg: 'the store was looked through', blobs: 2, bytes: 12 },
    ]);
  } finally {
    await database.close();
    await rm(root, { recursive: true, force: true });
  }
});
