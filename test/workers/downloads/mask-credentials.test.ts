import { expect, test } from 'vitest';
import { maskCredentials } from '../../../src/workers/downloads/mask-credentials.ts';

test.each([
  ['https://user:secret@host.example/a', 'https://***@host.example/a'],
  ['GET https://ghp_token@host.example/a.git failed', 'GET https://***@host.example/a.git failed'],
  ['https://user:p@ss@host.example/a@b', 'https://***@host.example/a@b'],
  ['git+https://user:pw@host.example/a.git#abc', 'git+https://***@host.example/a.git#abc'],
  ['"http://:pw@[::1]:80/"', '"http://***@[::1]:80/"'],
  ['ssh://git@host.example/a.git', 'ssh://git@host.example/a.git'],
  ['git+ssh://git@host.example/a.git', 'git+ssh://git@host.example/a.git'],
  ['ssh://git:pw@host.example/a.git', 'ssh://***@host.example/a.git'],
  ['git@host.example:a/b.git', 'git@host.example:a/b.git'],
  ['https://host.example/@scope/name/-/name-1.0.0.tgz', 'https://host.example/@scope/name/-/name-1.0.0.tgz'],
  ['https://h.example/f?token=abc&x=1', 'https://h.example/f?token=***&x=1'],
  ['https://h.example/f?a=1&X-Amz-Signature=abc#f', 'https://h.example/f?a=1&X-Amz-Signature=***#f'],
  ['https://h.example/f?PRIVATE_TOKEN=abc', 'https://h.example/f?PRIVATE_TOKEN=***'],
  ['//h.example/:_authToken=npm_abc', '//h.example/:_authToken=***'],
  ['https://h.example/f?design=abc&tokens=3', 'https://h.example/f?design=abc&tokens=3'],
  ['authorization: Bearer abc.def', 'authorization: Bearer ***'],
  ['{"Authorization":"Basic dXNlcjpwdw=="}', '{"Authorization":"Basic ***"}'],
  ['Proxy-Authorization: abc', 'Proxy-Authorization: ***'],
  ['nothing secret: a=b', 'nothing secret: a=b'],
])('masks %s', (text, expected) => {
  expect(maskCredentials(text)).toBe(expected);
  expect(maskCredentials(maskCredentials(text))).toBe(expected);
});

test('a long hostile text takes no time', () => {
  const started = performance.now();
  for (const text of [
    'a'.repeat(300_000),
    'a://'.repeat(100_000),
    'token='.repeat(60_000),
    '@'.repeat(300_000),
  ]) {
    maskCredentials(text);
  }
  expect(performance.now() - started).toBeLessThan(2000);
});
