import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, type Limits } from '../../../src/domain/settings/settings.ts';
import { inspectBuildArchive } from '../../../src/domain/sources/archives/inspect-build-archive.ts';
import { extractBuildContext } from '../../../src/domain/sources/build-context.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { dir, file, hard, LINK_MODE, link, tar, zip } from '../../support/packed-archives.ts';

let root: string;
let blobs: FileBlobStore;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'build-context-'));
  blobs = new FileBlobStore(join(root, 'blobs'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Options = { limits?: Partial<Limits>; dockerfile?: string };

async function opened(archive: Buffer, { limits }: Options) {
  const { digest } = await blobs.write(archive);
  return { blobs, digest, limits: { ...DEFAULT_LIMITS, ...limits }, signal: new AbortController().signal };
}

function named({ dockerfile }: Options) {
  return dockerfile === undefined ? {} : { dockerfile };
}

/** Inspected as the gateway does it, then written as a worker does it. */
async function extracted(archive: Buffer, options: Options = {}): Promise<string> {
  const uploaded = await opened(archive, options);
  await inspectBuildArchive(uploaded, named(options));
  const directory = mkdtempSync(join(root, 'context-'));
  await extractBuildContext({ ...uploaded, directory }, named(options));
  return directory;
}

async function contents(archive: Buffer, options: Options = {}): Promise<string[]> {
  return listing(await extracted(archive, options));
}

function listing(directory: string, prefix = ''): string[] {
  return readdirSync(join(directory, prefix))
    .sort()
    .flatMap((name) => {
      const path = join(prefix, name);
      const place = join(directory, path);
      const found = lstatSync(place);
      if (found.isSymbolicLink()) return `${path} → ${readlinkSync(place)}`;
      if (found.isDirectory()) return [`${path}/`, ...listing(directory, path)];
      return `${(found.mode & 0o777).toString(8)} ${path} ${readFileSync(place)}`;
    });
}

async function refusal(archive: Buffer, options: Options = {}): Promise<string> {
  const uploaded = await opened(archive, options);
  const directory = mkdtempSync(join(root, 'refused-'));
  const reasons = await Promise.allSettled([
    inspectBuildArchive(uploaded, named(options)),
    extractBuildContext({ ...uploaded, directory }, named(options)),
  ]);
  const [inspected, extraction] = reasons.map((one) =>
    one.status === 'fulfilled' ? 'fine' : `${one.reason.name}: ${one.reason.message}`,
  );
  expect(extraction).toBe(inspected);
  return inspected!;
}

/** Refused by the worker only: the gateway does not see it. */
async function lateRefusal(archive: Buffer): Promise<string> {
  return extracted(archive).then(
    () => 'fine',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

const D = file('Dockerfile', 'FROM scratch');
const DOCKERFILE = '644 Dockerfile FROM scratch';

describe('what becomes a context', () => {
  test('tar, tar.gz and zip, sniffed', async () => {
    const members = [D, file('./run.sh', 'x', 0o755), link('l', 'run.sh'), file('نام/فایل.txt', 'p')];
    const expected = [DOCKERFILE, 'l → run.sh', '755 run.sh x', 'نام/', '644 نام/فایل.txt p'];
    expect(await contents(await tar(...members))).toEqual(expected);
    expect(await contents(gzipSync(await tar(...members)))).toEqual(expected);
    const zipped = zip(
      { name: 'Dockerfile', content: 'FROM scratch' },
      { name: 'run.sh', content: 'x', mode: 0o100755 },
      { name: 'l', content: 'run.sh', mode: LINK_MODE },
      { name: 'نام/فایل.txt', content: 'p' },
    );
    expect(await contents(zipped)).toEqual(expected);
  });

  test('GNU and PAX, long names, directories that are empty', async () => {
    const source = mkdtempSync(join(root, 'source-'));
    const long = join('d'.repeat(200), 'e'.repeat(200));
    mkdirSync(join(source, long), { recursive: true });
    execFileSync('sh', ['-c', `echo FROM scratch > Dockerfile; echo x > ${long}/f`], { cwd: source });
    for (const format of ['gnu', 'pax']) {
      const archive = execFileSync('tar', ['c', `--format=${format}`, '.'], { cwd: source });
      const directory = await extracted(archive);
      expect(readFileSync(join(directory, long, 'f'), 'utf8')).toBe('x\n');
    }
    expect(await contents(await tar(D, dir('empty/')))).toEqual([DOCKERFILE, 'empty/']);
  });

  test('a zip as streaming writers make it', async () => {
    const script = `
import sys, zipfile
class Pipe:
    def write(self, data): return sys.stdout.buffer.write(data)
    def flush(self): sys.stdout.buffer.flush()
with zipfile.ZipFile(Pipe(), 'w', zipfile.ZIP_DEFLATED) as archive:
    with archive.open(zipfile.ZipInfo('Dockerfile'), 'w') as out: out.write(b'FROM scratch')
`;
    const [only] = await contents(execFileSync('python3', ['-c', script]));
    expect(only).toMatch(/ Dockerfile FROM scratch$/);
  });

  test('zips without sizes and checksums (fandogh.md 3.2)', async () => {
    const big = 'abc'.repeat(50_000);
    const broken = zip(
      { name: 'Dockerfile', content: 'FROM scratch', crc: 0, size: 0 },
      { name: 'big', content: big, crc: 0, size: 0 },
      { name: 'nothing', content: '' },
    );
    expect(await contents(broken)).toEqual([DOCKERFILE, `644 big ${big}`, '644 nothing ']);
  });

  test('hard links, also before what they lead to', async () => {
    const archive = await tar(D, hard('a', './b'), file('./b', 'x', 0o755), hard('c', 'a'), hard('c', 'c'));
    const directory = await extracted(archive);
    expect(listing(directory)).toEqual([DOCKERFILE, '755 a x', '755 b x', '755 c x']);
    expect(statSync(join(directory, 'a')).ino).toBe(statSync(join(directory, 'c')).ino);
  });

  test('entries behind a link in the tree (fandogh.md 3.3)', async () => {
    const members = [
      link('l', 'sub'),
      file('l/run', 'x'),
      dir('l/empty/'),
      dir('sub/'),
      file('sub/run', 'x'),
    ];
    const expected = [DOCKERFILE, 'l → sub', 'sub/', 'sub/empty/', '644 sub/run x'];
    expect(await contents(await tar(D, ...members))).toEqual(expected);
    expect(await contents(await tar(D, file('l/run', 'x'), link('l', 'sub'), file('sub/run', 'x')))).toEqual([
      DOCKERFILE,
      'l/',
      '644 l/run x',
      'sub/',
      '644 sub/run x',
    ]);
  });

  test('of two entries for one path the last one counts', async () => {
    const archive = await tar(
      file('Dockerfile', 'no'),
      file('a', '1'),
      file('a', '2'),
      link('b', 'a'),
      file('b', '3'),
      file('c', '4'),
      link('c', 'a'),
      dir('e/'),
      file('e', '5'),
      hard('f', 'a'),
      file('f', '6'),
      D,
    );
    expect(await contents(archive)).toEqual([
      DOCKERFILE,
      '644 a 2',
      '644 b 3',
      'c → a',
      '644 e 5',
      '644 f 6',
    ]);
    expect(
      await contents(zip({ name: 'Dockerfile', content: '1' }, { name: 'Dockerfile', content: '2' })),
    ).toEqual(['644 Dockerfile 2']);
  });

  test('links may point anywhere; nothing is written through them', async () => {
    const archive = await tar(D, link('etc', '/etc'), link('up', '../..'), link('dead', 'nothing'));
    expect(await contents(archive)).toEqual([DOCKERFILE, 'dead → nothing', 'etc → /etc', 'up → ../..']);
  });

  test.each<[string, Parameters<typeof tar>, string[]]>([
    ['is the root', [file('p/Dockerfile', 'x'), file('p/a/b')], ['644 Dockerfile x', 'a/', '644 a/b ']],
    [
      'also beside what packers add',
      [file('__MACOSX/p/._x'), file('.fandogh/config.yml'), file('p/Dockerfile', 'x')],
      ['644 Dockerfile x'],
    ],
    [
      'is not when the root has a Dockerfile',
      [D, file('p/Dockerfile')],
      [DOCKERFILE, 'p/', '644 p/Dockerfile '],
    ],
  ])('a single directory at the top %s', async (_name, members, expected) => {
    expect(await contents(await tar(...members))).toEqual(expected);
  });

  test('a Dockerfile of another name or place, or that is a link', async () => {
    const archive = await tar(file('docker/App', 'x'));
    expect(await contents(archive, { dockerfile: 'docker/App' })).toEqual(['docker/', '644 docker/App x']);
    expect(await contents(await tar(link('Dockerfile', 'a'), file('a', 'x')))).toEqual([
      'Dockerfile → a',
      '644 a x',
    ]);
  });

  test('.dockerignore, and .fandogh', async () => {
    const members = [
      file(
        'p/.dockerignore',
        '# comment\nnode_modules\n*.md\n!README.md\nDockerfile\n.dockerignore\noriginal',
      ),
      file('p/node_modules/x/i.js'),
      file('p/sub/node_modules', 'kept'),
      file('p/CHANGES.md'),
      file('p/README.md'),
      file('p/.fandogh/config.yml'),
      file('p/Dockerfile', 'x'),
      hard('p/copy', 'p/original'),
      file('p/original', 'o'),
    ];
    const found = await contents(await tar(...members));
    expect(found.filter((line) => !line.includes('.dockerignore'))).toEqual([
      '644 Dockerfile x',
      '644 README.md ',
      '644 copy o',
      'sub/',
      '644 sub/node_modules kept',
    ]);
    expect(found).toHaveLength(6);
    const both = [D, file('.dockerignore', 'a'), file('Dockerfile.dockerignore', 'b'), file('a'), file('b')];
    expect((await contents(await tar(...both))).filter((line) => /\b[ab] $/.test(line))).toEqual(['644 a ']);
  });
});

describe('refused', () => {
  const refused = (text: string) => `InvalidInputError: ${text}`;
  const unreadable = (reason: string) => refused(`The archive cannot be read: ${reason}`);
  const outside = (name: string) => refused(`The archive has the entry "${name}", which leads out of it`);

  test.each<[string, () => Buffer | Promise<Buffer>, string]>([
    ['no archive', () => Buffer.from('hello'), unreadable('it is neither zip nor tar nor tar.gz')],
    ['nothing', () => Buffer.alloc(0), unreadable('it is neither zip nor tar nor tar.gz')],
    ['no Dockerfile', () => tar(file('dockerfile')), refused('The archive has no file Dockerfile')],
    ['no entry', () => zip(), refused('The archive has no file Dockerfile')],
    [
      'a directory Dockerfile',
      () => tar(dir('Dockerfile/')),
      refused('The archive has a directory where the file Dockerfile should be'),
    ],
    [
      'a directory Dockerfile that is not named',
      () => zip({ name: 'Dockerfile/x' }),
      refused('The archive has a directory where the file Dockerfile should be'),
    ],
    [
      'two directories',
      () => tar(file('a/Dockerfile'), file('b/x')),
      refused('The archive has no file Dockerfile'),
    ],
    ['tar: ..', () => tar(D, file('a/../../x')), outside('a/../../x')],
    ['tar: absolute', () => tar(D, file('/etc/passwd')), outside('/etc/passwd')],
    ['tar: hard link out', () => tar(D, hard('x', '../../etc/passwd')), outside('../../etc/passwd')],
    [
      'tar: hard link to nothing',
      () => tar(D, hard('x', 'y')),
      unreadable('x is a hard link to y, which is not in it'),
    ],
    ['zip: ..', () => zip({ name: '../x' }), outside('../x')],
    ['zip: absolute', () => zip({ name: '/x' }), outside('/x')],
    ['zip: hidden ..', () => zip({ name: 'a\\..\\..\\x' }), outside('a/../../x')],
    [
      'device',
      () => tar(D, { name: 'null', type: 'character-device', devmajor: 1, devminor: 3 }),
      refused('The archive has the character-device null'),
    ],
    ['fifo', () => tar(D, { name: 'p', type: 'fifo' }), refused('The archive has the fifo p')],
    ['zip: device', () => zip({ name: 'a', mode: 0o060666 }), refused('The archive has the block-device a')],
    [
      'zip: encrypted',
      () => zip({ name: 'a', flags: 0x801 }),
      refused('The archive has the encrypted file a'),
    ],
    [
      'a long name',
      () => zip({ name: 'a'.repeat(300) }),
      refused(`The path "${'a'.repeat(200)}…" of the source has a component of more than 255 bytes`),
    ],
    [
      'no sizes, and data that is none',
      () => zip({ name: 'Dockerfile', content: 'x'.repeat(99), crc: 0, size: 0 }).fill(0xff, 40, 42),
      unreadable('invalid block type'),
    ],
    [
      'a huge .dockerignore',
      () => tar(D, file('.dockerignore', 'x'.repeat(1024 * 1024 + 1))),
      refused('The file .dockerignore has more than 1048576 bytes'),
    ],
  ])('%s', async (_name, archive, expected) => {
    expect(await refusal(await archive())).toBe(expected);
  });

  test.each<[string, () => Buffer | Promise<Buffer>, string]>([
    [
      'a Dockerfile that leads out',
      () => tar(link('Dockerfile', '/etc/passwd')),
      refused('The file Dockerfile of the archive is a link to nothing in it'),
    ],
    [
      'an entry behind a link that leads out',
      () => tar(D, link('l', '/tmp'), file('l/x')),
      refused('The archive has the entry l/x behind a link that leads out of it'),
    ],
    [
      'an entry behind links in a circle',
      () => tar(D, link('a', 'b'), link('b', 'a'), file('a/x')),
      refused('The archive has the entry a/x behind a link that leads out of it'),
    ],
    [
      'a file below a file',
      () => tar(D, file('a'), file('a/b')),
      refused('The archive has a as a directory and as something else'),
    ],
    [
      'a file in the place of a directory',
      () => tar(D, file('a/b'), file('a')),
      refused('The archive has a as a directory and as something else'),
    ],
    [
      'hard links in a circle',
      () => tar(D, hard('a', 'b'), hard('b', 'a')),
      refused('The hard link a leads to itself'),
    ],
    [
      'a hard link to a directory',
      () => tar(D, dir('d/'), file('d2'), hard('d2', 'd'), hard('d', 'd2')),
      refused('The hard link d2 leads to itself'),
    ],
  ])('by the worker: %s', async (_name, archive, expected) => {
    expect(await lateRefusal(await archive())).toBe(expected);
  });

  const bomb = 'x'.repeat(70 * 1024 * 1024);
  test.each<[string, () => Buffer | Promise<Buffer>, Partial<Limits>, string]>([
    ['entries', () => tar(D, file('a'), file('b')), { entries: 2 }, 'has more than 2 entries'],
    [
      'bytes',
      () => tar(file('big', 'x'.repeat(3000))),
      { unpackedBytes: 3000 },
      'unpacks to more than 3000 bytes',
    ],
    [
      'gzip ratio',
      async () => gzipSync(await tar(file('bomb', bomb))),
      {},
      'unpacks to more than 200 times its size',
    ],
    ['zip ratio', () => zip({ name: 'bomb', content: bomb }), {}, 'unpacks to more than 200 times its size'],
    [
      'zip ratio without sizes',
      () => zip({ name: 'bomb', content: bomb, size: 0, crc: 0 }),
      {},
      'unpacks to more than 200 times its size',
    ],
  ])('too much: %s', async (_name, archive, limits, expected) => {
    expect(await refusal(await archive(), { limits })).toBe(refused(`The archive ${expected}`));
  });

  test('an archive that is cut off, at whatever byte', { timeout: 60_000 }, async () => {
    const whole = await tar(D, file('a', 'x'.repeat(600)), file('zeros', '\0'.repeat(1024)));
    const zipped = zip({ name: 'Dockerfile', content: 'FROM scratch' }, { name: 'a', content: 'xyz' });
    // The first empty block ends a tar; what follows is filling.
    const least = whole.length - 512;
    for (const [archive, end, step] of [
      [whole, least, 64],
      [gzipSync(whole), gzipSync(whole).length, 1],
      [zipped, zipped.length, 1],
    ] as const) {
      for (let cut = 0; cut < end; cut += step) {
        const uploaded = await opened(archive.subarray(0, cut), {});
        await expect(inspectBuildArchive(uploaded), `${cut} of ${archive.length}`).rejects.toMatchObject({
          name: 'InvalidInputError',
        });
      }
    }
  });
});
