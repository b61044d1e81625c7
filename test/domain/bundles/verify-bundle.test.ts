import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type BundleManifest,
  type ManifestEntry,
  manifestText,
} from '../../../src/domain/bundles/bundle-manifest.ts';
import { tarEnd, tarHeader, tarPadding } from '../../../src/domain/bundles/deterministic-tar.ts';
import { readUntrustedManifest } from '../../../src/domain/bundles/untrusted-manifest.ts';
import { type VerifiedArchive, verifyArchive } from '../../../src/domain/bundles/verify-bundle.ts';
import { type SmallBundle, smallBundle } from '../../support/small-bundle.ts';

const sha256 = (content: string | Buffer): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const verify = (bytes: Buffer, manifest: BundleManifest, chunk = 1000): Promise<VerifiedArchive> =>
  verifyArchive(inChunks(bytes, chunk), manifest, new AbortController().signal);

/** Problems as short texts. */
async function problemsOf(bytes: Buffer, manifest: BundleManifest): Promise<string[]> {
  const { problems } = await verify(bytes, manifest);
  return problems.shown.map(({ code, path, what, expected, actual }) =>
    [code, path ?? '(archive)', what, expected ?? '-', actual ?? '-'].join(' | '),
  );
}

/** One tar member, as it stands in a tar. */
interface Member {
  path: string;
  header: Buffer;
  content: Buffer;
}

const TIME = 1_600_000_000;
const member = (path: string, content = '', mode = 0o644, time = TIME): Member => ({
  path,
  header: tarHeader({ path, kind: 'file', mode, size: Buffer.byteLength(content) }, time),
  content: Buffer.from(content),
});
const tarOf = (members: readonly Member[]): Buffer => {
  const bytes = Buffer.concat(
    members.flatMap(({ header, content }) => [header, content, Buffer.alloc(tarPadding(content.length))]),
  );
  return Buffer.concat([bytes, Buffer.alloc(tarEnd(bytes.length))]);
};

let bundle: SmallBundle;
beforeAll(async () => {
  bundle = await smallBundle();
});

describe('a bundle as it was made', () => {
  test.each([1, 7, 512, 100_000])('has no problems, read %i bytes at a time', async (chunk) => {
    const verified = await verify(bundle.archive, bundle.manifest, chunk);
    expect(verified).toMatchObject({
      archive: { digest: bundle.assembled.archiveDigest, size: bundle.archive.length },
      tar: { digest: bundle.assembled.tarDigest, size: bundle.assembled.tarSize },
      entries: bundle.manifest.entries.length,
    });
    expect(verified.problems.shown).toEqual([]);
  });

  test('has none either when it was unpacked to a tar, or compressed again', async () => {
    const tar = gunzipSync(bundle.archive);
    expect((await verify(tar, bundle.manifest)).problems.count).toBe(0);
    expect((await verify(gzipSync(tar), bundle.manifest)).problems.count).toBe(0);
  });
});

describe('a bundle that was damaged', () => {
  test('is found out, whichever byte of the tar is another one', async () => {
    const tar = gunzipSync(bundle.archive);
    for (let at = 0; at < tar.length; at += 37) {
      const damaged = Buffer.from(tar);
      damaged[at]! ^= 0x41;
      const { problems } = await verify(damaged, bundle.manifest, 100_000);
      expect(problems.count, `byte ${at}`).toBeGreaterThan(0);
    }
  });

  test('is found out, wherever the archive ends', async () => {
    for (let end = 0; end < bundle.archive.length; end += 13) {
      const { problems } = await verify(bundle.archive.subarray(0, end), bundle.manifest, 100_000);
      expect(problems.count, `${end} bytes`).toBeGreaterThan(0);
    }
  });

  test('is found out, or unpacks to the same tar, whichever byte of the archive is another one', async () => {
    for (let at = 0; at < bundle.archive.length; at += 11) {
      const damaged = Buffer.from(bundle.archive);
      damaged[at]! ^= 0x10;
      const { problems, tar, archive } = await verify(damaged, bundle.manifest, 100_000);
      expect(problems.count > 0 || tar.digest === bundle.assembled.tarDigest, `byte ${at}`).toBe(true);
      expect(archive.digest).not.toBe(bundle.assembled.archiveDigest);
    }
  });
});

describe('an archive of a few files', () => {
  const entry = (path: string, content: string): ManifestEntry => ({
    path,
    type: 'file',
    mode: '0644',
    size: Buffer.byteLength(content),
    digest: sha256(content) as `sha256:${string}`,
  });
  const manifest: BundleManifest = {
    formatVersion: 1,
    time: TIME,
    entries: [
      { path: 'app/link', type: 'symlink', mode: '0777', size: 0, target: 'x' },
      entry('app/x', 'hello'),
      { path: 'deps', type: 'directory', mode: '0755', size: 0 },
      entry('deps/y', 'world'),
    ],
  };
  const link = (target: string): Member => ({
    path: 'app/link',
    header: tarHeader({ path: 'app/link', kind: 'symlink', mode: 0o777, size: 0, target }, TIME),
    content: Buffer.alloc(0),
  });
  const deps: Member = {
    path: 'deps',
    header: tarHeader({ path: 'deps', kind: 'directory', mode: 0o755, size: 0 }, TIME),
    content: Buffer.alloc(0),
  };
  const good = [link('x'), member('app/x', 'hello'), deps, member('deps/y', 'world')];
  const replaced = (other: Member): Member[] => good.map((one) => (one.path === other.path ? other : one));
  /** The header of a file with some bytes changed and a checksum that fits. */
  const patched = (path: string, content: string, at: number, bytes: string): Member => {
    const one = member(path, content);
    one.header.write(bytes, at, 'latin1');
    one.header.fill(' ', 148, 156);
    const sum = one.header.reduce((total, byte) => total + byte, 0);
    one.header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return one;
  };

  test.each<[string, Member[], string[]]>([
    ['nothing wrong', good, []],
    [
      'another content',
      replaced(member('app/x', 'hallo')),
      [`checksum-mismatch | app/x | has another digest | ${sha256('hello')} | ${sha256('hallo')}`],
    ],
    [
      'another size',
      replaced(member('app/x', 'hello!')),
      [
        'checksum-mismatch | app/x | has another size | 5 | 6',
        `checksum-mismatch | app/x | has another digest | ${sha256('hello')} | ${sha256('hello!')}`,
      ],
    ],
    [
      'one entry more',
      [...good, member('deps/z', 'evil')],
      [`checksum-mismatch | deps/z | is not in the manifest | - | ${sha256('evil')}`],
    ],
    [
      'an entry that escapes',
      [...good, member('../../z', 'evil')],
      [`path-outside-root | ../../z | is not in the manifest | - | ${sha256('evil')}`],
    ],
    [
      'an absolute entry',
      [...good, member('/etc/z', 'evil')],
      [`path-outside-root | /etc/z | is not in the manifest | - | ${sha256('evil')}`],
    ],
    [
      'an entry twice',
      [...good, member('deps/y', 'world')],
      ['checksum-mismatch | deps/y | is there twice | - | -'],
    ],
    ['an entry less', good.slice(0, 3), [`checksum-mismatch | deps/y | is missing | ${sha256('world')} | -`]],
    [
      'a directory less',
      [good[0]!, good[1]!, good[3]!],
      ['checksum-mismatch | deps | is missing | directory | -'],
    ],
    [
      'another order',
      [good[1]!, good[0]!, good[2]!, good[3]!],
      ['checksum-mismatch | app/link | comes after app/x, which is the wrong order | - | -'],
    ],
    [
      'another mode',
      replaced(member('app/x', 'hello', 0o755)),
      ['checksum-mismatch | app/x | has another mode | 0644 | 0755'],
    ],
    [
      'set-user-id',
      replaced(patched('app/x', 'hello', 100, '0004755')),
      ['checksum-mismatch | app/x | has another mode | 0644 | 04755'],
    ],
    [
      'another time',
      replaced(member('app/x', 'hello', 0o644, TIME + 1)),
      [`checksum-mismatch | app/x | has another time | ${TIME} | ${TIME + 1}`],
    ],
    [
      'an owner',
      replaced(patched('app/x', 'hello', 108, '0001750')),
      ['checksum-mismatch | app/x | has an owner | 0:0 | 1000:0'],
    ],
    [
      'the name of an owner',
      replaced(patched('app/x', 'hello', 265, 'root')),
      ['checksum-mismatch | app/x | has another header than Stowage writes | - | -'],
    ],
    [
      'a link that leads elsewhere',
      [link('/etc/passwd'), ...good.slice(1)],
      ['checksum-mismatch | app/link | leads elsewhere | x | /etc/passwd'],
    ],
    [
      'a file instead of a link',
      [member('app/link', 'x'), ...good.slice(1)],
      ['checksum-mismatch | app/link | is of another type | symlink | file'],
    ],
    [
      'a device',
      replaced(patched('app/x', '', 156, '3')),
      ['checksum-mismatch | app/x | is of another type | file | other'],
    ],
    [
      'a hard link',
      replaced(patched('app/x', '', 156, '1')),
      ['checksum-mismatch | app/x | is of another type | file | hard link'],
    ],
  ])('%s', async (_what, members, expected) => {
    expect(await problemsOf(tarOf(members), manifest)).toEqual(expected);
    expect(await problemsOf(gzipSync(tarOf(members)), manifest)).toEqual(expected);
  });

  const tar = tarOf(good);
  const overwritten = (at: number, bytes: string): Buffer => {
    const copy = Buffer.from(tar);
    copy.write(bytes, at, 'latin1');
    return copy;
  };
  test.each<[string, Buffer, string[]]>([
    [
      'an empty file',
      Buffer.alloc(0),
      ['unexpected-format | (archive) | The archive ends at byte 0, in mid-air | - | -'],
    ],
    [
      'text',
      Buffer.from('hello '.repeat(500)),
      ['unexpected-format | (archive) | There is no tar header at byte 0 | - | -'],
    ],
    [
      'a tar that ends inside of a file',
      tar.subarray(0, 512 + 512 + 3),
      ['unexpected-format | (archive) | The archive ends at byte 1027, inside of a file | - | -'],
    ],
    [
      'a tar that ends between two entries',
      tar.subarray(0, 512 + 1024),
      ['unexpected-format | (archive) | The archive ends at byte 1536, in mid-air | - | -'],
    ],
    [
      'a tar with a short end',
      tar.subarray(0, tar.length - 512),
      [`checksum-mismatch | (archive) | The tar has another length | ${tar.length} | ${tar.length - 512}`],
    ],
    [
      'a tar with a long end',
      Buffer.concat([tar, Buffer.alloc(10_240)]),
      [`checksum-mismatch | (archive) | The tar has another length | ${tar.length} | ${tar.length + 10_240}`],
    ],
    [
      'something behind the end',
      overwritten(tar.length - 1, 'x'),
      [
        `unexpected-format | (archive) | There is something behind the end, before byte ${tar.length} | - | -`,
      ],
    ],
    [
      'something in the padding',
      overwritten(1024 + 100, 'x'),
      ['unexpected-format | (archive) | The padding before byte 1536 is not empty | - | -'],
    ],
    [
      'a broken header',
      overwritten(512, 'X'),
      ['unexpected-format | (archive) | There is no tar header at byte 512 | - | -'],
    ],
    [
      'half of a gzip',
      gzipSync(tar).subarray(0, 60),
      ['unexpected-format | (archive) | The archive cannot be unpacked: unexpected end of file | - | -'],
    ],
  ])('%s', async (_what, bytes, expected) => {
    expect(await problemsOf(bytes, manifest)).toEqual(expected);
  });

  test('something behind the last gzip member', async () => {
    const zip = gzipSync(tar);
    for (const rest of ['\0'.repeat(20), 'garbage garbage garbage', `\x1f\x8b\x08${'\0'.repeat(30)}`]) {
      const { problems } = await verify(Buffer.concat([zip, Buffer.from(rest, 'latin1')]), manifest);
      expect(problems.shown).toMatchObject([{ code: 'unexpected-format' }]);
    }
  });

  test('pax records that announce more than there is, and no records at all', async () => {
    const long = member('n'.repeat(150), 'x');
    const records = (text: string): Buffer => {
      const bytes = Buffer.from(long.header);
      bytes.write(text.padEnd(60, ' '), 512, 'latin1');
      return tarOf([{ ...long, header: bytes }]);
    };
    for (const text of ['999999 path=x\n', '0 path=x\n', '-5 path=x\n', '8 path\n', 'path=x\n']) {
      expect(await problemsOf(records(text), manifest)).toEqual([
        expect.stringMatching(
          /^unexpected-format \| \(archive\) \| The pax records before byte \d+ cannot be read/,
        ),
      ]);
    }
  });

  test('a bomb is not read to its end', async () => {
    const piece = gzipSync(Buffer.alloc(16 * 1024 * 1024));
    const bomb = (function* () {
      yield gzipSync(patched('deps/bomb', '', 124, '77777777777').header);
      for (let count = 0; count < 100; count++) yield piece;
    })();
    const { problems, tar: unpacked } = await verifyArchive(
      (async function* () {
        yield* bomb;
      })(),
      manifest,
      new AbortController().signal,
    );
    expect(problems.shown).toMatchObject([
      { what: expect.stringContaining('far more than its manifest: not read on') },
    ]);
    expect(unpacked.size).toBeLessThan(80 * 1024 * 1024);
  });

  test('a thousand problems are counted, not kept', async () => {
    const extra = Array.from({ length: 1000 }, (_, index) => member(`deps/z${index}`, ''));
    const { problems } = await verify(tarOf([...good, ...extra]), manifest);
    expect(problems.count).toBe(1000);
    expect(problems.shown).toHaveLength(200);
  });

  test('can be interrupted', async () => {
    const controller = new AbortController();
    const endless = (async function* () {
      yield good[0]!.header;
      controller.abort(new Error('enough'));
      for (;;) yield good[1]!.header;
    })();
    await expect(verifyArchive(endless, manifest, controller.signal)).rejects.toThrow('enough');
  });

  test('an error of the disk is no problem of the archive', async () => {
    const failing = (async function* () {
      yield gzipSync(tar).subarray(0, 50);
      throw new Error('EIO');
    })();
    await expect(verifyArchive(failing, manifest, new AbortController().signal)).rejects.toThrow('EIO');
  });
});

describe('a manifest from outside', () => {
  const digest = `"digest":"sha256:${'0'.repeat(64)}"`;
  const text = (...entries: string[]): string =>
    `{"formatVersion":1,"time":${TIME},"entries":[\n${entries.join(',\n')}\n]}\n`;
  const file = (path: string): string =>
    `{"path":${JSON.stringify(path)},"type":"file","mode":"0644","size":1,${digest}}`;
  const folder = (path: string): string =>
    `{"path":${JSON.stringify(path)},"type":"directory","mode":"0755","size":0}`;
  const link = (path: string, target: string): string =>
    `{"path":${JSON.stringify(path)},"type":"symlink","mode":"0777","size":0,"target":${JSON.stringify(target)}}`;

  test('is read as it was written', () => {
    expect(manifestText(readUntrustedManifest(bundle.manifestText))).toBe(bundle.manifestText);
    expect(
      readUntrustedManifest(text(file('app/x'), folder('deps'), link('deps/l', '../app/x'))).entries,
    ).toHaveLength(3);
  });

  test.each<[string, string, string]>([
    ['no JSON', 'hello', 'it is no JSON'],
    ['another JSON', '[]', 'it is no manifest of format 1'],
    ['null', 'null', 'it is no manifest of format 1'],
    ['another format', text().replace('1', '2'), 'it is no manifest of format 1'],
    ['a time before 1980', text().replace(`${TIME}`, '5'), 'the time 5 is none that a bundle can have'],
    ['no time', text().replace(`"time":${TIME},`, ''), 'the time undefined is none that a bundle can have'],
    ['null as an entry', text('null'), 'an entry has no path'],
    ['no path', text('{}'), 'an entry has no path'],
    ['an empty path', text(file('')), '"" is no path'],
    ['an empty part', text(file('app//x')), '"app//x" is no path'],
    ['a dot', text(file('app/./x')), '"app/./x" is no path'],
    ['NUL', text(file('app/x\0')), '"app/x\\u0000" is no path'],
    [
      'a type that does not exist',
      text(file('x').replace('"file"', '"toString"')),
      'x is of the unknown type toString',
    ],
    ['another mode', text(file('x').replace('0644', '4755')), 'x has the mode 4755'],
    ['a negative size', text(file('x').replace('"size":1', '"size":-1')), 'x has the size -1'],
    ['a size of a directory', text(folder('x').replace('"size":0', '"size":1')), 'x has the size 1'],
    ['no digest', text(file('x').replace(`,${digest}`, '')), 'the digest of x is wrong'],
    ['a short digest', text(file('x').replace('sha256:0', 'sha256:')), 'the digest of x is wrong'],
    ['a link without a target', text(link('x', '')), 'the target of x is wrong'],
    ['two of one path', text(file('x'), file('x')), 'x is not in order, or there twice'],
    ['another order', text(file('y'), file('x')), 'x is not in order, or there twice'],
    ['no parent', text(file('deps/x')), 'deps/x lies in deps, which is no directory of it'],
    [
      'a link as a parent',
      text(link('deps', 'app'), file('deps/x')),
      'deps/x lies in deps, which is no directory of it',
    ],
    [
      'other blanks',
      text(file('x')).replace('"path":', '"path": '),
      'its text is not the one that Stowage writes',
    ],
    [
      'more keys',
      text(file('x')).replace('"path"', '"a":1,"path"'),
      'its text is not the one that Stowage writes',
    ],
  ])('is refused: %s', (_what, manifest, message) => {
    expect(() => readUntrustedManifest(manifest)).toThrow(
      expect.objectContaining({
        code: 'unexpected-format',
        message: `The manifest cannot be used: ${message}`,
      }),
    );
  });

  test.each<[string, string, string]>([
    ['an absolute path', text(file('/etc/x')), 'The manifest names "/etc/x", outside of the bundle'],
    ['..', text(file('app/../../x')), 'The manifest names "app/../../x", outside of the bundle'],
    ['an absolute link', text(link('x', '/etc')), 'The link x to /etc leads out of the bundle'],
    [
      'a link that leaves',
      text(link('app/x', '../../y')),
      'The link app/x to ../../y leads out of the bundle',
    ],
    [
      'a link that leaves by another one',
      text(link('app/a', '..'), link('app/b', 'a/../y')),
      'The link app/b to a/../y leads out of the bundle',
    ],
  ])('names something outside: %s', (_what, manifest, message) => {
    expect(() => readUntrustedManifest(manifest)).toThrow(
      expect.objectContaining({ code: 'path-outside-root', message }),
    );
  });
});
