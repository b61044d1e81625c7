import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { archiveLayout } from '../../../src/domain/bundles/archive-layout.ts';
import { readArchive } from '../../../src/domain/bundles/archive-reader.ts';
import { type AssembledArchive, assembleBundle } from '../../../src/domain/bundles/assemble-bundle.ts';
import type { BundleFile } from '../../../src/domain/bundles/bundle-file.ts';
import { combineCrc32 } from '../../../src/domain/bundles/crc32-combine.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';
import { memorySourceTree } from '../../support/memory-source-tree.ts';

const LONG = `deep/${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(99)}`;

describe('assembly', () => {
  const blobs = new MemoryBlobStore();
  const source = memorySourceTree({
    'README.md': 'hello',
    empty: '',
    link: { link: 'README.md' },
    'src/naïve.txt': 'é',
    [LONG]: 'long',
    'big.bin': randomBytes(5 * 1024 * 1024),
  });
  const file = (path: string, content: Uint8Array): BundleFile => ({
    path,
    mode: 0o644,
    ...blobs.put(content),
  });
  const files = [
    file('deps/npm/a/a-1.tgz', randomBytes(200_000)),
    file('deps/npm/b/b-1.tgz', randomBytes(65_535 - 512)),
    file('deps/npm/empty.tgz', Buffer.alloc(0)),
    file('stowage.env', Buffer.from('export A=1\n')),
  ];
  const assemble = (
    overrides: Partial<Parameters<typeof assembleBundle>[0]> = {},
  ): Promise<AssembledArchive> =>
    assembleBundle({
      blobs,
      source,
      sourceChanges: [],
      files,
      directories: ['deps/gomod'],
      known: async () => null,
      sourceMembers: { find: async () => null, insert: async () => undefined },
      signal: new AbortController().signal,
      ...overrides,
    });
  const layoutOf = (bundle: AssembledArchive) =>
    archiveLayout(
      bundle.manifest,
      {
        digest: bundle.sourceMemberDigest,
        size: blobs.blobs.get(bundle.sourceMemberDigest)!.length,
      },
      (digest) => crc32(blobs.blobs.get(digest)!),
    );
  const whole = async (bundle: AssembledArchive, start?: number, end?: number): Promise<Buffer> => {
    const range = start === undefined ? undefined : { start, end: end! };
    const chunks: Buffer[] = [];
    for await (const chunk of readArchive(blobs, layoutOf(bundle), range)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const directory = mkdtempSync(join(tmpdir(), 'stowage-assembly-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('the digests are those of the archive and of the tar in it', async () => {
    const bundle = await assemble();
    const archive = await whole(bundle);
    expect(sha256(archive)).toBe(bundle.archiveDigest);
    expect(archive.length).toBe(bundle.archiveSize);
    const tar = gunzipSync(archive);
    expect(sha256(tar)).toBe(bundle.tarDigest);
    expect(tar.length).toBe(bundle.tarSize);
  });

  test('tar unpacks it to what went in, with the members of the contract', async () => {
    const bundle = await assemble();
    const path = join(directory, 'bundle.tar.gz');
    writeFileSync(path, await whole(bundle));
    const names = execFileSync('tar', ['tzf', path], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
    });
    const listed = names.trim().split('\n');
    expect(listed).not.toContain('app/');
    expect(listed).toEqual(
      expect.arrayContaining(
        [
          'app/README.md',
          'app/src/',
          'app/src/na\\303\\257ve.txt',
          `app/${LONG}`,
          'deps/',
          'deps/gomod/',
          'deps/npm/a/a-1.tgz',
          'stowage.env',
        ].map((name) => name.replace('na\\303\\257ve', 'naïve')),
      ),
    );
    execFileSync('tar', ['xzf', path, '-C', directory]);
    expect(readdirSync(join(directory, 'deps'))).toEqual(['gomod', 'npm']);
    execFileSync('python3', [
      '-c',
      'import tarfile,sys; t=tarfile.open(sys.argv[1]); assert all(m.uid==0 and m.mtime==1600000000 for m in t)',
      path,
    ]);
  });

  test('is the same again, and differs with the content', async () => {
    const [first, second] = [await assemble(), await assemble()];
    expect(second).toEqual(first);
    const other = await assemble({ files: files.slice(1) });
    expect(other.manifestDigest).not.toBe(first.manifestDigest);
    expect(other.sourceMemberDigest).toBe(first.sourceMemberDigest);
  });

  test('one that is damaged is made again; files that were fetched are removed and have to be fetched again', async () => {
    const bundle = await assemble();
    const before = await whole(bundle);
    const known = async () => ({ ...bundle, damagedAt: new Date() });
    const sourceMembers = {
      find: async () => ({ digest: bundle.sourceMemberDigest, size: 1, crc32: 0 }),
      insert: async () => undefined,
    };
    blobs.blobs.set(bundle.sourceMemberDigest, Buffer.from('changed'));
    expect(await assemble({ known, sourceMembers })).toEqual(bundle);
    expect(await whole(bundle)).toEqual(before);

    const [{ digest }] = files as [BundleFile];
    const content = blobs.blobs.get(digest)!;
    blobs.blobs.set(digest, Buffer.from('changed'));
    await expect(assemble({ known })).rejects.toMatchObject({
      name: 'FileAccessError',
      message: 'Files of the bundle were damaged in the store. Please try again.',
    });
    expect(await blobs.size(digest)).toBeNull();
    blobs.put(content);
  });

  test('any range is that range of the whole', async () => {
    const bundle = await assemble();
    const archive = await whole(bundle);
    const sourceSize = blobs.blobs.get(bundle.sourceMemberDigest)!.length;
    const interesting = [
      0,
      1,
      sourceSize - 1,
      sourceSize,
      sourceSize + 1,
      sourceSize + 9,
      sourceSize + 10,
      sourceSize + 15,
      sourceSize + 600,
      archive.length - 9,
      archive.length - 1,
    ];
    for (let at = sourceSize; at < archive.length; at += 32_771) interesting.push(at);
    for (const start of interesting) {
      for (const length of [1, 5, 513, 70_000]) {
        const end = Math.min(archive.length, start + length);
        expect(
          (await whole(bundle, start, end)).equals(archive.subarray(start, end)),
          `${start}-${end}`,
        ).toBe(true);
      }
    }
  });

  test('two files with one path and different bytes are refused', async () => {
    const clash = [...files, file('deps/npm/a/a-1.tgz', Buffer.from('other'))];
    await expect(assemble({ files: clash })).rejects.toThrow(
      'Two different files have the path deps/npm/a/a-1.tgz in the bundle',
    );
  });

  test('CRCs combine', () => {
    for (const [a, b] of [
      [0, 0],
      [1, 0],
      [0, 7],
      [1000, 70_000],
      [65_535, 3],
    ] as const) {
      const [first, second] = [randomBytes(a), randomBytes(b)];
      expect(combineCrc32(crc32(first), crc32(second), b)).toBe(crc32(Buffer.concat([first, second])));
    }
  });
});
