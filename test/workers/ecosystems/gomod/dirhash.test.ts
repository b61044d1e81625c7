import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { readSettings } from '../../../../src/domain/config.ts';
import { goModHash, goZipHash } from '../../../../src/workers/ecosystems/gomod/dirhash.ts';
import { dirHash } from '../../../support/go-proxy.ts';
import { temporaryDirectory } from '../../../support/resolve-context.ts';

const { limits } = readSettings({});

async function hashOf(zip: Uint8Array, changed: Partial<typeof limits> = {}): Promise<string> {
  const scratch = temporaryDirectory();
  try {
    return await goZipHash('m.zip', Readable.from([zip]), { ...limits, ...changed }, scratch);
  } finally {
    expect(readdirSync(scratch)).toEqual([]);
  }
}

const files = (count: number, size: number): Record<string, Uint8Array> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `m@v1/${index % 2 ? 'Z' : 'a'}é${index}`,
      Buffer.alloc(size, `${index} `),
    ]),
  );

describe("go's hash of an archive", () => {
  test('a go.mod', () => {
    const content = Buffer.from('module m\n');
    expect(goModHash(createHash('sha256').update(content).digest('hex'))).toBe(
      dirHash({ 'go.mod': content }),
    );
  });

  test.each([
    ['small files', files(30, 100), 6],
    ['large files', files(5, 200_000), 6],
    ['stored files', files(5, 1000), 0],
    ['an empty file', { 'm@v1/x': Buffer.alloc(0) }, 6],
  ] as const)('%s', async (_, contents, level) => {
    expect(await hashOf(zipSync({ ...contents }, { level }))).toBe(dirHash(contents));
  });

  test('an archive that is too large to be read as a whole', async () => {
    const contents = { 'm@v1/random': pseudoRandom(50 * 1024 * 1024), 'm@v1/small': Buffer.from('x') };
    expect(await hashOf(zipSync(contents, { level: 0 }))).toBe(dirHash(contents));
  });
});

describe('hostile archives', () => {
  const bad = { code: 'package-rejected' };

  test('no archive', async () => {
    await expect(hashOf(Buffer.from('nothing'))).rejects.toMatchObject({
      ...bad,
      message: 'The file m.zip is not a valid module archive',
    });
  });

  test('one that unpacks to more than the limits', async () => {
    const bomb = zipSync({ 'm@v1/x': Buffer.alloc(80 * 1024 * 1024) });
    await expect(hashOf(bomb)).rejects.toMatchObject(bad);
    await expect(hashOf(zipSync(files(20, 1)), { entries: 10 })).rejects.toMatchObject(bad);
  });

  test('one that lies about its sizes', async () => {
    const zip = Buffer.from(zipSync({ 'm@v1/x': Buffer.alloc(100_000, 'ab') }));
    const central = zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    zip.writeUInt32LE(10, central + 24);
    await expect(hashOf(zip)).rejects.toMatchObject(bad);
  });

  test('one that is cut off in the middle', async () => {
    const zip = Buffer.from(zipSync({ 'm@v1/x': pseudoRandom(1000) }));
    const central = zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
    zip.writeUInt32LE(0x7fffffff, central + 42);
    await expect(hashOf(zip)).rejects.toMatchObject(bad);
  });

  test('a name with a line break', async () => {
    await expect(hashOf(zipSync({ 'm@v1/a\nb': Buffer.from('x') }))).rejects.toMatchObject(bad);
  });
});

/** The same bytes on every run, which do not compress. */
function pseudoRandom(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let at = 0; at + 4 <= size; at += 4) {
    state = crc32(Buffer.from([state & 255]), state);
    bytes.writeUInt32LE(state, at);
  }
  return bytes;
}
