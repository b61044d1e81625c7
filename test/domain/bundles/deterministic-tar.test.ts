import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type TarContent,
  type TarEntry,
  tarEnd,
  tarHeader,
  tarHeaderSize,
  tarPadding,
  writeTar,
} from '../../../src/domain/bundles/deterministic-tar.ts';

const TIME = 1_600_000_000;
const directory = mkdtempSync(join(tmpdir(), 'stowage-tar-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function tarOf(entries: Iterable<TarContent>, time = TIME): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(entries, { time })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const file = (path: string, content = '', mode = 0o644): TarContent => ({
  path,
  kind: 'file',
  mode,
  size: Buffer.byteLength(content),
  content: Buffer.from(content),
});
const link = (path: string, target: string): TarContent => ({
  path,
  kind: 'symlink',
  mode: 0o777,
  size: 0,
  target,
});
const folder = (path: string): TarContent => ({ path, kind: 'directory', mode: 0o755, size: 0 });

describe('headers', () => {
  const text = (block: Buffer, from: number, to: number): string => block.toString('latin1', from, to);

  test('are ustar with nothing of the machine in them', () => {
    const header = tarHeader(file('app/a.txt', 'hello'), TIME);
    expect(header.length).toBe(512);
    expect(text(header, 0, 100)).toBe('app/a.txt'.padEnd(100, '\0'));
    expect(text(header, 100, 157)).toBe(
      '0000644\0' + '0000000\0' + '0000000\0' + '00000000005\0' + '13727410000\0' + '010772\0 ' + '0',
    );
    expect(text(header, 157, 257)).toBe('\0'.repeat(100));
    expect(text(header, 257, 345)).toBe(`ustar\x0000${'\0'.repeat(64)}0000000\x000000000\0`);
    expect(text(header, 345, 512)).toBe('\0'.repeat(167));
  });

  test.each([
    ['the epoch', 0, '02263523000\0'],
    ['before the epoch', -5, '02263523000\0'],
    ['the last second before 1980', 315_532_799, '02263523000\0'],
    ['parts of seconds', 1_600_000_000.9, '13727410000\0'],
  ])('time: %s', (_what, time, expected) => {
    expect(text(tarHeader(file('a'), time), 136, 148)).toBe(expected);
  });

  test.each([
    ['set-user-id', 0o104755, '0000755\0'],
    ['type bits', 0o100644, '0000644\0'],
  ])('mode: %s', (_what, mode, expected) => {
    expect(text(tarHeader(file('a', '', mode), TIME), 100, 108)).toBe(expected);
  });

  test.each<[string, TarEntry, string[]]>([
    ['100 bytes', file('n'.repeat(100)), []],
    ['101 bytes', file('n'.repeat(101)), [`111 path=${'n'.repeat(101)}\n`]],
    ['a directory of 100 bytes with its slash', folder('n'.repeat(99)), []],
    ['a directory of 101 bytes with its slash', folder('n'.repeat(100)), [`111 path=${'n'.repeat(100)}/\n`]],
    ['not ASCII', file('é'), ['11 path=é\n']],
    ['a target of 100 bytes', link('a', 't'.repeat(100)), []],
    ['a target of 101 bytes', link('a', 't'.repeat(101)), [`115 linkpath=${'t'.repeat(101)}\n`]],
    ['a target that is not ASCII', link('a', 'é'), []],
    ['8 GiB less one byte', { ...file('a'), size: 8 * 1024 ** 3 - 1 }, []],
    ['8 GiB', { ...file('a'), size: 8 * 1024 ** 3 }, ['19 size=8589934592\n']],
  ])('pax records: %s', (_what, entry, records) => {
    const header = tarHeader(entry, TIME);
    expect(header.length).toBe(tarHeaderSize(entry));
    if (records.length === 0) {
      expect(header.length).toBe(512);
      return;
    }
    const content = Buffer.from(records.join(''));
    expect(text(header, 156, 157)).toBe('x');
    expect(Number.parseInt(text(header, 124, 135), 8)).toBe(content.length);
    expect(header.subarray(512, 512 + content.length).toString()).toBe(content.toString());
  });

  test('the length of a pax record counts itself, for all lengths', () => {
    for (let length = 101; length < 1200; length++) {
      const header = tarHeader(file('n'.repeat(length)), TIME);
      const size = Number.parseInt(text(header, 124, 135), 8);
      expect(text(header, 512, 512 + size)).toBe(`${size} path=${'n'.repeat(length)}\n`);
    }
  });

  test('padding fills blocks, the end fills records', () => {
    expect([0, 1, 511, 512, 513].map(tarPadding)).toEqual([0, 511, 1, 0, 511]);
    expect([0, 512, 9216, 9728, 10240].map(tarEnd)).toEqual([10240, 9728, 1024, 10752, 10240]);
  });
});

describe('real programs', () => {
  const deep = `app/${'d'.repeat(90)}/${'e'.repeat(90)}`;
  const entries: TarContent[] = [
    folder('app/a'),
    file('app/a-b', '1'),
    file('app/a.b', '2'),
    file('app/a/b', '3', 0o755),
    file(`app/${'h'.repeat(101)}`, 'unsplittable'),
    link('app/l100', 't'.repeat(100)),
    link('app/l101', 't'.repeat(101)),
    link('app/link', 'a/b'),
    link('app/link-ü', 'naïve.txt'),
    file('app/naïve.txt', 'é'),
    file('app/with space and\nnewline', 'x'),
    folder(`app/${'d'.repeat(90)}`),
    folder(deep),
    link(`${deep}/${'l'.repeat(99)}`, `../${'t'.repeat(130)}`),
    file(`${deep}/${'f'.repeat(99)}`, 'long'),
    file(`app/${'d'.repeat(90)}/${'g'.repeat(60)}`, 'split by others'),
    folder('deps'),
    folder('deps/npm'),
    file('deps/npm/empty'),
    file('deps/npm/large', 'x'.repeat(200_000)),
    file('top', 'y'),
  ].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));

  test('GNU tar makes the same bytes of the unpacked tree (prefetch.md section 14)', async () => {
    const ours = await tarOf(entries);
    const unpacked = join(directory, 'gnu');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xpf', '-'], { cwd: unpacked, input: ours });
    const options = [
      '--format=posix',
      '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
      `--mtime=@${TIME}`,
      '--clamp-mtime',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
    ];
    const theirs = execFileSync(
      'sh',
      [
        '-c',
        'find . -mindepth 1 ! -path ./app -printf "%P\\0" | LC_ALL=C sort -z | LC_ALL=C tar --no-recursion --null -T - "$@" -cf -',
        'sh',
        ...options,
      ],
      { cwd: unpacked, maxBuffer: 64 * 1024 * 1024, env: { PATH: process.env.PATH, TZ: 'Asia/Tokyo' } },
    );
    expect(createHash('sha256').update(theirs).digest('hex')).toBe(
      createHash('sha256').update(ours).digest('hex'),
    );
  });

  test('tar and Python unpack what went in', async () => {
    const path = join(directory, 'members.tar');
    writeFileSync(path, await tarOf(entries));
    const python = `
import json, sys, tarfile
members = []
with tarfile.open(sys.argv[1], errors='strict', encoding='utf-8') as archive:
    for m in archive:
        content = archive.extractfile(m).read().decode() if m.isfile() else None
        members.append([m.name, m.mode, m.uid, m.gid, m.uname, m.gname, m.mtime, m.linkname, content])
json.dump(members, sys.stdout)`;
    const read = JSON.parse(
      execFileSync('python3', ['-c', python, path], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }),
    );
    expect(read).toEqual(
      entries.map((entry) => [
        entry.path,
        entry.mode,
        0,
        0,
        '',
        '',
        TIME,
        entry.target ?? '',
        entry.kind === 'file' ? entry.content!.toString() : null,
      ]),
    );
  });

  test('the same tree written under other conditions gives the same bytes', async () => {
    const wanted = createHash('sha256')
      .update(await tarOf(entries))
      .digest('hex');
    const script = join(directory, 'write.ts');
    const writer = join(import.meta.dirname, '../../../src/domain/bundles/deterministic-tar.ts');
    writeFileSync(
      script,
      `import { createHash } from 'node:crypto';
       import { readFileSync } from 'node:fs';
       import { writeTar } from ${JSON.stringify(writer)};
       const entries = JSON.parse(readFileSync(process.argv[2], 'utf8')).map((e) => ({ ...e, content: e.content && Buffer.from(e.content, 'base64') }));
       const hash = createHash('sha256');
       process.umask(Number(process.argv[3]));
       for await (const chunk of writeTar(entries, { time: ${TIME} })) hash.update(chunk);
       process.stdout.write(hash.digest('hex'));`,
    );
    const input = JSON.stringify(
      entries.map((entry) => ({
        ...entry,
        content: (entry.content as Buffer | undefined)?.toString('base64'),
      })),
    );
    const inputFile = join(directory, 'entries.json');
    writeFileSync(inputFile, input);
    for (const [TZ, LC_ALL, umask] of [
      ['Pacific/Apia', 'C', '0'],
      ['America/St_Johns', 'tr_TR.UTF-8', '63'],
    ] as const) {
      const digest = execFileSync(process.execPath, [script, inputFile, umask], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, TZ, LC_ALL },
      });
      expect(digest).toBe(wanted);
    }
  });
});

test('content of any kind', async () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('he');
    yield Buffer.from('llo');
  }
  const whole = await tarOf([file('a', 'hello')]);
  expect((await tarOf([{ ...file('a', 'hello'), content: pieces() }])).equals(whole)).toBe(true);
});

test('content that is not as long as announced is refused', async () => {
  await expect(tarOf([{ ...file('a', 'hello'), size: 6 }])).rejects.toThrow('a has 5 bytes, not 6');
  await expect(tarOf([{ ...file('a', 'hello'), size: 4 }])).rejects.toThrow('a has more than 4 bytes');
  await expect(tarOf([{ path: 'a', kind: 'file', mode: 0o644, size: 4 }])).rejects.toThrow(
    'a has 0 bytes, not 4',
  );
});
