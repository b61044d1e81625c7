import { describe, expect, test } from 'vitest';
import type { BundleFile } from '../../../src/domain/bundles/bundle-file.ts';
import { type BundleManifest, manifestText } from '../../../src/domain/bundles/bundle-manifest.ts';
import { namesVaryingFile, reproducibleDigest } from '../../../src/domain/bundles/reproducible-part.ts';
import { digestOf } from '../../../src/domain/storage/digest-of.ts';

const HEX = 'ab'.repeat(32);

function manifest(...paths: string[]): BundleManifest {
  const entries = paths.map((path) => ({ path, type: 'file', mode: '0644', size: 0 }) as const);
  return { formatVersion: 1, time: 0, entries };
}

const file = (path: string, varies?: true): BundleFile => ({
  ...{ path, mode: 0o644, digest: `sha256:${HEX}`, size: 0, crc32: 0 },
  ...(varies && { varies }),
});

describe('the digest of what is the same everywhere', () => {
  test.each<[string, string[]]>([
    ['git directories', ['app/.git', 'app/.git/HEAD', 'app/lib/.git/objects/pack/pack-1.pack']],
    ['git files of submodules', ['app/lib/.git']],
    ['what other file systems take for one', ['app/.GIT/HEAD', 'app/git~1/HEAD']],
    ['files that hold one', ['deps/pip/a.tar.gz']],
  ])('leaves out %s', (_, paths) => {
    const kept = ['app/.gitignore', 'app/.github/x', 'app/a', 'deps/pip/b.tar.gz'];
    const files = [file('deps/pip/a.tar.gz', true), file('deps/pip/b.tar.gz')];
    expect(reproducibleDigest(manifest(...kept, ...paths), files)).toBe(
      digestOf(manifestText(manifest(...kept))),
    );
  });

  test('is not needed when there is nothing of that', () => {
    expect(reproducibleDigest(manifest('app/.gitignore', 'app/a'), [file('app/a')])).toBeNull();
  });
});

test.each([
  [`tool --hash=sha256:${HEX}`, file('a', true), true],
  [`tool --hash=sha256:${HEX}`, file('a'), false],
  ['tool', file('a', true), false],
])('%s names a varying file: %#', (text, one, expected) => {
  expect(namesVaryingFile(Buffer.from(text), [one])).toBe(expected);
});
