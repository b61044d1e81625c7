import { describe, expect, test } from 'vitest';
import { addressOf, parseAddress, parseReference } from '../../../src/domain/registry/reference.ts';

const SHA256 = `sha256:${'0a'.repeat(32)}`;
const SHA512 = `sha512:${'0a'.repeat(64)}`;

test.each([SHA256, SHA512])('%s is a digest', (text) => {
  expect(parseAddress(text)).toBe(text);
  expect(parseReference(text)).toEqual({ address: text });
});

describe('no digests', () => {
  test.each([
    '',
    'sha256',
    'sha256:',
    'sha256:totallywrong',
    SHA256.toUpperCase(),
    `${SHA256}0`,
    SHA256.slice(0, -1),
    `${SHA256}\n`,
    ` ${SHA256}`,
    SHA512.replace('512', '256'),
    SHA256.replace('256', '512'),
    `md5:${'0'.repeat(32)}`,
    `sha256+b64u:${'a'.repeat(43)}`,
  ])('%j', (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'digest-invalid' }));
    if (text.includes(':')) expect(() => parseReference(text)).toThrow();
  });
});

test.each(['latest', 'v1.0', '_', 'A-b_c.D', '0', 'a'.repeat(128)])('%s is a tag', (text) => {
  expect(parseReference(text)).toEqual({ tag: text });
});

test.each(['', '.hidden', '-dash', 'a b', 'a/b', 'ä', 'a\n', 'a\0', 'a'.repeat(129), 'a@b'])(
  '%j names nothing',
  (text) => {
    expect(parseReference(text)).toBe(null);
  },
);

test('the digest of bytes', () => {
  const empty = new Uint8Array();
  expect(addressOf(empty, 'sha256')).toBe(
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  expect(addressOf(empty, 'sha512')).toMatch(/^sha512:cf83e1357eefb8bd/);
});
