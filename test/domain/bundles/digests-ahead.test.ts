import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assembleBundle } from '../../../src/domain/bundles/assemble-bundle.ts';
import type { BundleFile } from '../../../src/domain/bundles/bundle-file.ts';
import { DigestsAhead, type ForeseenParts } from '../../../src/domain/bundles/digests-ahead.ts';
import type { Digest, StoredBlob } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { memorySourceTree } from '../../support/memory-source-tree.ts';

const source = memorySourceTree({ 'README.md': 'hello', 'src/main.js': 'main()' });
const env = Buffer.from('export A=1\n');

let root: string;
let blobs: FileBlobStore;
let member: StoredBlob;
/** As a request has fetched them, sorted by path. */
let fetched: BundleFile[];
let known: (BundleFile & { content: Buffer })[];
/** Digests of the blobs whose bytes were read. */
let read: Digest[];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'stowage-ahead-'));
  blobs = new FileBlobStore(root);
  const watched = blobs.read.bind(blobs);
  blobs.read = (digest, range) => {
    read.push(digest);
    return watched(digest, range);
  };
  const file = async (path: string, content: Buffer): Promise<BundleFile> => ({
    path,
    mode: 0o644,
    ...(await blobs.write(content)),
  });
  fetched = [
    await file('deps/npm/a/a-1.tgz', randomBytes(200_000)),
    ...(await Promise.all(
      Array.from({ length: 100 }, (_, index) => file(`deps/npm/b/b-${100 + index}.tgz`, randomBytes(100))),
    )),
    await file('deps/npm/empty.tgz', Buffer.alloc(0)),
    await file('deps/npm/z/z-1.tgz', randomBytes(66_000)),
  ];
  known = [{ ...(await file('config/app/.npmrc', env)), content: env }];
  member = await assemble().then(async ({ sourceMemberDigest }) => ({
    digest: sourceMemberDigest,
    size: (await blobs.size(sourceMemberDigest))!,
    crc32: 0,
  }));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** With the member as it is known from the first time. */
async function assemble(files = [...known, ...fetched], ahead: DigestsAhead | null = null) {
  read = [];
  return await assembleBundle({
    blobs,
    source,
    sourceChanges: [],
    files: files.map(({ path, mode, digest, size, crc32 }) => ({ path, mode, digest, size, crc32 })),
    directories: ['deps/npm'],
    known: async () => null,
    sourceMembers: { find: async () => member ?? null, insert: async () => undefined },
    ahead,
    signal: new AbortController().signal,
  });
}

function foreseen(): ForeseenParts {
  return { source, directories: ['deps/npm'], member, awaited: fetched.map(({ path }) => path), known };
}

/** With the configuration and all directories. */
const ALL = 111;

/** When it has got to so many entries. */
async function ahead(
  files: readonly BundleFile[],
  { parts = foreseen(), entries = ALL } = {},
): Promise<DigestsAhead> {
  const digests = new DigestsAhead(blobs);
  // Some come before it is known what to do with them.
  const early = files.filter((_, index) => index % 2 === 1);
  for (const { path, ...blob } of early) digests.add(path, blob);
  digests.begin(parts);
  for (const { path, ...blob } of files.toReversed()) digests.add(path, blob);
  await expect.poll(() => digests.entries, { interval: 1 }).toBe(entries);
  return digests;
}

test('what came is not read again when the bundle is assembled', async () => {
  const expected = await assemble();
  const large = fetched[0]!.digest;
  expect(read).toContain(large);
  const digests = await ahead(fetched);
  expect(await assemble(undefined, digests)).toEqual(expected);
  expect(read).toEqual([]);
});

test('what had not come yet is read then', async () => {
  const expected = await assemble();
  for (const [count, entries] of [
    [0, 6],
    [1, 8],
    [50, 57],
    [102, 110],
  ] as const) {
    const digests = await ahead(fetched.slice(0, count), { entries });
    expect(await assemble(undefined, digests)).toEqual(expected);
  }
});

test('nothing that was foreseen wrongly gets into the digests', async () => {
  const other: BundleFile = { ...fetched[50]!, path: 'deps/npm/b/a.tgz' };
  const changed = fetched.map((file, index) => (index === 70 ? { ...file, ...content(fetched[3]!) } : file));
  const bundles = {
    'one more': [...known, ...fetched, other],
    'one less': [...known, ...fetched.toSpliced(80, 1)],
    'other bytes': [...known, ...changed],
    'another mode': [...known, ...fetched.map((file) => ({ ...file, mode: 0o755 as const }))],
    'other configuration': [{ ...known[0]!, ...content(fetched[3]!) }, ...fetched],
    'no configuration': fetched,
  };
  for (const [name, files] of Object.entries(bundles)) {
    expect(await assemble(files, await ahead(fetched)), name).toEqual(await assemble(files));
  }
  const expected = await assemble();
  const otherSource = { ...foreseen(), source: { ...source, time: source.time + 1 } };
  expect(await assemble(undefined, await ahead(fetched, { parts: otherSource }))).toEqual(expected);
  const otherMember = { ...foreseen(), member: { ...fetched[3]!, crc32: 0 } };
  expect(await assemble(undefined, await ahead(fetched, { parts: otherMember, entries: 0 }))).toEqual(
    expected,
  );
});

test('a large file, and what follows it, is left to who assembles the bundle', async () => {
  const large = await blobs.write(Buffer.alloc(5 * 1024 * 1024));
  const files: BundleFile[] = [
    { path: 'deps/npm/large.tgz', mode: 0o644, ...large },
    { ...fetched[3]!, path: 'deps/npm/small.tgz' },
  ];
  const parts = { ...foreseen(), awaited: files.map(({ path }) => path) };
  const digests = await ahead(files, { parts, entries: 5 });
  expect(await assemble([...known, ...files], digests)).toEqual(await assemble([...known, ...files]));
});

test('a file that cannot be read is for who assembles the bundle', async () => {
  const expected = await assemble();
  const gone: BundleFile = { ...fetched[60]!, digest: `sha256:${'0'.repeat(64)}` };
  const digests = await ahead(fetched.with(60, gone), { entries: 67 });
  expect(await assemble(undefined, digests)).toEqual(expected);
});

test('once it is over nothing is computed any more', async () => {
  const digests = new DigestsAhead(blobs);
  digests.end();
  digests.begin(foreseen());
  for (const { path, ...blob } of fetched) digests.add(path, blob);
  expect(await digests.of((await assemble()).manifest, member)).toBeNull();
  expect(digests.entries).toBe(0);
});

function content({ digest, size, crc32 }: BundleFile): StoredBlob {
  return { digest, size, crc32 };
}
