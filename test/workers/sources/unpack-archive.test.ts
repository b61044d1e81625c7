import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import type { Flag } from '../../../src/domain/packages/package.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { unpackArchive } from '../../../src/workers/sources/unpack-archive.ts';
import { testDatabase } from '../../support/database.ts';
import { dir, file, hard, LINK_MODE, link, tar, zip } from '../../support/packed-archives.ts';

let database: Database;
let root: string;
let temporaryDirectory: string;
let blobs: FileBlobStore;

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'unpack-'));
  temporaryDirectory = join(root, 'tmp');
  mkdirSync(temporaryDirectory);
  blobs = new FileBlobStore(join(root, 'blobs'));
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});

async function unpack(archive: Buffer, flags: Flag[] = [], limits = '') {
  const settings = readSettings({ STOWAGE_DATA_DIR: root, STOWAGE_LIMITS: limits });
  const { signal } = new AbortController();
  const { digest } = await blobs.write(archive);
  const context = { sql: database.sql, blobs, settings, signal, temporaryDirectory };
  try {
    return await unpackArchive({ archive: digest, flags }, context);
  } finally {
    expect(readdirSync(temporaryDirectory)).toEqual([]);
    expect(readdirSync(join(root, 'blobs', 'tmp'))).toEqual([]);
  }
}

async function refusal(archive: Buffer, flags: Flag[] = [], limits = ''): Promise<string> {
  try {
    await unpack(archive, flags, limits);
  } catch (error) {
    const { name, code, message } = error as Error & { code: string };
    return `${name} ${code}: ${message}`;
  }
  return 'no error';
}

async function listing(archive: Buffer, flags: Flag[] = []): Promise<string[]> {
  const { tree } = await unpack(archive, flags);
  const rows = [...tree.entries.values()].map(async ({ path, mode, target }) =>
    target === undefined ? `${mode} ${path} ${await tree.read(path)}` : `${mode} ${path} → ${target}`,
  );
  return Promise.all(rows);
}

describe('what comes out', () => {
  const expected = ['100644 a/b one', '100755 run two', '120000 there → a/b', '100644 ü/x three'];
  test('tar, tar.gz and zip give the same tree', async () => {
    const archive = await tar(
      file('p-1.0/run', 'two', 0o755),
      dir('p-1.0/'),
      file('p-1.0/ü/x', 'three'),
      file('./p-1.0/a/b', 'one'),
      link('p-1.0/there', 'a/b'),
    );
    const zipped = zip(
      { name: 'p-1.0/', mode: 0o040755 },
      { name: 'p-1.0/ü/x', content: 'three', method: 0 },
      { name: 'p-1.0/there', content: 'a/b', mode: LINK_MODE },
      { name: 'p-1.0/run', content: 'two', mode: 0o100755 },
      { name: 'p-1.0/a/b', content: 'one' },
    );
    expect(await listing(archive)).toEqual(expected);
    expect(await listing(gzipSync(archive))).toEqual(expected);
    expect(await listing(zipped)).toEqual(expected);
    const [one, two, three] = [await unpack(archive), await unpack(gzipSync(archive)), await unpack(zipped)];
    expect(one).toMatchObject({ commit: null, files: 3, size: 11, time: 1_700_000_000, warnings: [] });
    expect(two.snapshot).toBe(one.snapshot);
    expect(three.treeId).toBe(one.treeId);
    expect(three.time).toBe(Date.UTC(2024, 8, 1, 12, 0, 0) / 1000);
  });

  test('the system’s own tools: tar, and git archive in both forms', async () => {
    const source = mkdtempSync(join(root, 'source-'));
    const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: source });
    mkdirSync(join(source, 'd'.repeat(90)));
    writeFileSync(join(source, 'd'.repeat(90), 'n'.repeat(90)), 'long name');
    writeFileSync(join(source, 'big'), Buffer.alloc(3_000_000, 'abc'));
    const expectedFiles = ['big', `${'d'.repeat(90)}/${'n'.repeat(90)}`];
    run('tar', 'cf', '../gnu.tar', '--format=gnu', '.');
    run('tar', 'czf', '../pax.tgz', '--format=pax', '.');
    run('tar', 'cf', '../v7.tar', '--format=v7', 'big');
    run('git', 'init', '-q');
    run('git', 'add', '.');
    run('git', '-c', 'user.name=a', '-c', 'user.email=a@b.example', 'commit', '-qm', 'x');
    run('git', 'archive', '-o', '../git.zip', '--prefix=p/', 'HEAD');
    run('git', 'archive', '-o', '../git.tar.gz', '--prefix=p/', 'HEAD');
    const treeId = execFileSync('git', ['rev-parse', 'HEAD^{tree}'], {
      cwd: source,
      encoding: 'utf8',
    }).trim();
    for (const name of ['gnu.tar', 'pax.tgz', 'git.zip', 'git.tar.gz']) {
      const { tree } = await unpack(readFileSync(join(root, name)));
      expect([...tree.entries.keys()], name).toEqual(expectedFiles);
      expect(tree.treeId, name).toBe(treeId);
    }
    expect((await unpack(readFileSync(join(root, 'v7.tar')))).size).toBe(3_000_000);
  });

  test('a zip as streaming writers make it, and with 64-bit fields', async () => {
    const script = `
import sys, zipfile
class Pipe:
    def write(self, data): return sys.stdout.buffer.write(data)
    def flush(self): sys.stdout.buffer.flush()
with zipfile.ZipFile(Pipe(), 'w', zipfile.ZIP_DEFLATED) as archive:
    with archive.open(zipfile.ZipInfo('a'), 'w', force_zip64=True) as out: out.write(b'A')
    archive.writestr('b/c', 'C')
`;
    const archive = execFileSync('python3', ['-c', script]);
    expect(await listing(archive)).toEqual(['100644 a A', '100644 b/c C']);
  });

  test('one directory at the top is the root, two are not', async () => {
    expect(await listing(await tar(file('a/x'), file('a/y')))).toEqual(['100644 x ', '100644 y ']);
    expect(await listing(await tar(file('a/x'), file('b/y')))).toEqual(['100644 a/x ', '100644 b/y ']);
    expect(await listing(await tar(file('a/x'), file('y')))).toEqual(['100644 a/x ', '100644 y ']);
    expect(await listing(await tar(file('x')))).toEqual(['100644 x ']);
    expect(await listing(zip({ name: 'p/x' }, { name: '__MACOSX/p/._x' }))).toEqual(['100644 x ']);
  });

  test('git directories are left out, with a warning', async () => {
    const { tree, warnings } = await unpack(
      await tar(file('p/.git/config'), file('p/x'), file('p/sub/.GIT')),
    );
    expect([...tree.entries.keys()]).toEqual(['x']);
    expect(warnings).toEqual(['Left out of the archive: p/.git/config, p/sub/.GIT']);
  });

  test('hard links become files', async () => {
    const archive = await tar(file('a', 'x', 0o755), hard('b/c', './a'), link('l', 'a'), hard('m', 'l'));
    expect(await listing(archive)).toEqual(['100755 a x', '100755 b/c x', '120000 l → a', '120000 m → a']);
  });

  test('LFS pointers are warned of', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`;
    const { warnings } = await unpack(await tar(file('big', pointer), file('x')));
    expect(warnings).toEqual(['Git LFS pointers, whose contents are not fetched: big']);
  });

  test('a known archive is not unpacked again', async () => {
    const archive = await tar(file('known', 'x'));
    const first = await unpack(archive);
    const again = await unpack(archive, [], 'entries=1 unpackedBytes=1');
    expect(again.snapshot).toBe(first.snapshot);
  });
});

describe('links that leave the source', () => {
  test('fail, or are removed with the flag', async () => {
    const archive = await tar(
      file('p/x'),
      link('p/bad', '../../etc/passwd'),
      link('p/root', '/'),
      link('p/ok', 'x'),
    );
    expect(await refusal(archive)).toBe(
      "ValidationError path-outside-root: The destination of 'bad' is outside of cloned repository",
    );
    const { tree, warnings, snapshot } = await unpack(archive, ['remove-unsafe-symlinks']);
    expect([...tree.entries.keys()]).toEqual(['ok', 'x']);
    expect(warnings).toEqual(['Removed symbolic links that leave the source: bad, root']);
    const rows = await database.sql.query('select 1 from source_snapshots where index_digest = $1', [
      snapshot,
    ]);
    expect(rows).toHaveLength(1);
  });
  test('in zip files too', async () => {
    expect(await refusal(zip({ name: 'bad', content: '/etc/passwd', mode: LINK_MODE }))).toBe(
      "ValidationError path-outside-root: The destination of 'bad' is outside of cloned repository",
    );
  });
});

describe('refused', () => {
  const traversal = (kind: string) =>
    `ValidationError path-outside-root: Attempted Path Traversal in ${kind} File`;
  const broken = (reason: string) =>
    `InvalidFileFormat unexpected-format: The archive cannot be read: ${reason}`;
  const twice = 'InvalidFileFormat unexpected-format: The archive has two entries for the path a';
  const unsupported = (what: string) => `UnsupportedFeature unsupported-feature: The archive has the ${what}`;

  test.each<[string, () => Buffer | Promise<Buffer>, string]>([
    ['tar: ..', () => tar(file('a/../../x')), traversal('Tar')],
    ['tar: absolute', () => tar(file('/etc/passwd')), traversal('Tar')],
    ['tar: drive letter', () => tar(file('C:\\x')), traversal('Tar')],
    ['tar: hard link to ..', () => tar(hard('x', '../y')), traversal('Tar')],
    [
      'tar: hard link to nothing',
      () => tar(hard('x', 'y')),
      broken('x is a hard link to y, which is not before it'),
    ],
    [
      'tar: through a link',
      () => tar(link('a', '/tmp'), file('a/x')),
      'InvalidRepoStructure unexpected-format: The source has two entries for the path a',
    ],
    ['tar: twice', () => tar(file('a', '1'), file('./a', '2')), twice],
    [
      'tar: device',
      () => tar({ name: 'null', type: 'character-device', devmajor: 1, devminor: 3 }),
      unsupported('character-device null'),
    ],
    ['tar: fifo', () => tar({ name: 'pipe', type: 'fifo' }), unsupported('fifo pipe')],
    [
      'tar: sparse file',
      () =>
        tar({
          name: 'GNUSparseFile.7/a',
          content: 'map',
          pax: { 'GNU.sparse.name': 'a', 'GNU.sparse.major': '1' },
        }),
      unsupported('sparse file a'),
    ],
    [
      'tar: cut off',
      async () => (await tar(file('a', 'x'.repeat(5000)))).subarray(0, 2048),
      broken('Unexpected end of data'),
    ],
    [
      'tar: broken header',
      async () => Buffer.concat([(await tar(file('a'))).subarray(0, 512), Buffer.alloc(512, 'x')]),
      broken('Invalid tar header. Maybe the tar is corrupted or it needs to be gunzipped?'),
    ],
    ['tar: empty', () => tar(dir('a/')), 'InvalidRepoStructure unexpected-format: The archive has no files'],
    [
      'gz: cut off',
      async () => gzipSync(await tar(file('a', 'x'.repeat(5000)))).subarray(0, 60),
      broken('unexpected end of file'),
    ],
    [
      'gz: corrupt',
      async () => Buffer.concat([gzipSync(await tar(file('a'))).subarray(0, 10), Buffer.alloc(50, 0xff)]),
      broken('invalid block type'),
    ],
    [
      'gz: no tar',
      () => gzipSync(Buffer.alloc(600, 'text')),
      broken('Invalid tar header. Maybe the tar is corrupted or it needs to be gunzipped?'),
    ],
    ['text', () => Buffer.alloc(2000, 'text'), broken('it is neither zip nor tar nor tar.gz')],
    ['nothing', () => Buffer.alloc(0), broken('it is neither zip nor tar nor tar.gz')],
    ['zeros', () => Buffer.alloc(1024), broken('it is neither zip nor tar nor tar.gz')],
    ['zip: ..', () => zip({ name: '../x' }), traversal('Zip')],
    ['zip: hidden ..', () => zip({ name: 'a\\..\\..\\x' }), traversal('Zip')],
    ['zip: absolute', () => zip({ name: '/x' }), traversal('Zip')],
    ['zip: twice', () => zip({ name: 'a' }, { name: 'a' }), twice],
    ['zip: encrypted', () => zip({ name: 'a', flags: 0x801 }), unsupported('encrypted file a')],
    ['zip: method', () => zip({ name: 'a', method: 12 }), unsupported('file a, packed by method 12')],
    ['zip: device', () => zip({ name: 'a', mode: 0o020666 }), unsupported('character-device a')],
    ['zip: checksum', () => zip({ name: 'a', content: 'x', crc: 7 }), broken('the checksum of a is wrong')],
    [
      'zip: larger than it says',
      () => zip({ name: 'a', content: 'xx', size: 1 }),
      broken('too many bytes in the stream. expected 1. got at least 2'),
    ],
    [
      'zip: smaller than it says',
      () => zip({ name: 'a', content: 'xx', size: 3 }),
      broken('not enough bytes in the stream. expected 3. got only 2'),
    ],
    ['zip: overlap', () => zip({ name: 'a', content: 'x' }, { name: 'a', offset: 0 }), twice],
    [
      'zip: overlap under other names',
      () => zip({ name: 'a', content: 'x' }, { name: 'b', content: 'x', offset: 0 }),
      broken('b overlaps another file'),
    ],
    [
      'zip: long link',
      () => zip({ name: 'a', content: 'x'.repeat(5000), mode: LINK_MODE }),
      broken('the link a has a target of 5000 bytes'),
    ],
    [
      'zip: cut off',
      () => zip({ name: 'a' }).subarray(0, 40),
      broken(
        'End of central directory record signature not found. Either not a zip file, or file is truncated.',
      ),
    ],
    ['zip: empty', () => zip(), 'InvalidRepoStructure unexpected-format: The archive has no files'],
  ])('%s', async (_name, archive, message) => {
    expect(await refusal(await archive())).toBe(message);
  });

  const bomb = 'x'.repeat(70 * 1024 * 1024);
  test.each<[string, () => Buffer | Promise<Buffer>, string, string]>([
    ['tar entries', () => tar(file('a'), file('b'), file('c')), 'entries=2', 'has more than 2 entries'],
    [
      'zip entries',
      () => zip({ name: 'a' }, { name: 'b' }, { name: 'c' }),
      'entries=2',
      'has more than 2 entries',
    ],
    [
      'tar bytes',
      () => tar(file('big', 'x'.repeat(3000))),
      'unpackedBytes=3000',
      'unpacks to more than 3000 bytes',
    ],
    [
      'zip bytes',
      () => zip({ name: 'big', content: 'x'.repeat(3001) }),
      'unpackedBytes=3000',
      'unpacks to more than 3000 bytes',
    ],
    [
      'gz ratio',
      async () => gzipSync(await tar(file('bomb', bomb))),
      '',
      'unpacks to more than 200 times its size',
    ],
    ['zip ratio', () => zip({ name: 'bomb', content: bomb }), '', 'unpacks to more than 200 times its size'],
  ])('too much: %s', async (_name, archive, limits, message) => {
    expect(await refusal(await archive(), [], limits)).toBe(
      `ValidationError package-rejected: The archive ${message}`,
    );
  });
});
