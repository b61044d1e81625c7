import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { noSpace, requireFreeSpace } from '../../../src/domain/storage/free-space.ts';

const ENOUGH = { bavail: 1_000, bsize: 4_096, files: 1_000, ffree: 1_000 };

test.each([
  ['with room', {}, false],
  ['without bytes', { bavail: 0 }, true],
  ['almost without', { bavail: 255 }, true],
  ['without files', { ffree: 0 }, true],
  ['that does not count files', { files: 0, ffree: 0 }, false],
])('a file system %s', (_title, change, isFull) => {
  const error = noSpace({ ...ENOUGH, ...change });
  expect(error?.message).toBe(isFull ? 'ENOSPC: no space left on device' : undefined);
});

test('a directory on a disk with room, and one that is not there', async () => {
  await requireFreeSpace(tmpdir());
  await expect(requireFreeSpace('/nowhere')).rejects.toMatchObject({ code: 'ENOENT' });
});
