import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BlobStore } from '../../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../../src/domain/storage/file-blob-store.ts';
import type { Artifact } from '../../../../src/workers/downloads/artifact-store.ts';
import { ModuleCache } from '../../../../src/workers/ecosystems/gomod/module-cache.ts';
import { MemoryBlobStore } from '../../../support/memory-blob-store.ts';
import { temporaryDirectory } from '../../../support/resolve-context.ts';

const MODULE = { path: 'example.test/Upper', version: 'v1.2.0-RC1' };
const CONTENT = Buffer.from('an archive');

async function artifactIn(blobs: BlobStore): Promise<Artifact> {
  const stored = await blobs.write(CONTENT);
  return { ...stored, key: 'x', url: 'x', digests: { sha256: 'x' }, metadata: null, cached: false };
}

describe('the module cache', () => {
  test.each([
    ['linked from a store of files', () => new FileBlobStore(join(temporaryDirectory(), 'blobs')), 2],
    ['copied from another store', () => new MemoryBlobStore(), 1],
  ] as const)('an archive is %s', async (_, makeStore, links) => {
    const blobs: BlobStore = makeStore();
    const cache = new ModuleCache(join(temporaryDirectory(), 'mod'), blobs);
    const artifact = await artifactIn(blobs);
    await cache.putZip(MODULE, { artifact, h1: 'h1:abc=' });
    const path = cache.pathOf('zip', MODULE);
    expect(path.slice(cache.directory.length)).toBe(
      '/cache/download/example.test/!upper/@v/v1.2.0-!r!c1.zip',
    );
    expect(readFileSync(path)).toEqual(CONTENT);
    expect(readFileSync(`${path}hash`, 'utf8')).toBe('h1:abc=');
    expect(statSync(path).nlink).toBe(links);
    // Again, by many at once: nothing is left behind.
    await Promise.all([1, 2, 3].map(() => cache.putText('mod', MODULE, artifact)));
    await cache.putZip(MODULE, { artifact, h1: 'h1:other=' });
    expect(readdirSync(dirname(path)).sort()).toEqual([
      'v1.2.0-!r!c1.mod',
      'v1.2.0-!r!c1.zip',
      'v1.2.0-!r!c1.ziphash',
    ]);
    expect(readFileSync(`${path}hash`, 'utf8')).toBe('h1:abc=');
  });

  test('names that climb never become paths', () => {
    const cache = new ModuleCache('/nowhere', new MemoryBlobStore());
    expect(() => cache.pathOf('zip', { path: '../../etc', version: 'v1.0.0' })).toThrow('The module path');
    expect(() => cache.pathOf('zip', { path: 'a', version: '../v1' })).toThrow('The module version');
  });
});
