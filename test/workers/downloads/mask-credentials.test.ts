import { expect, test } from 'vitest';
import { maskCredentials } from '../../../src/workers/downloads/mask-credentials.ts';
import { processorMs } from '../../support/processor-time.ts';

test.each([
  ['https://user:secret@host.example/a', 'https://***@host.example/a'],
  ['GET https://ghp_token@host.example/a.git failed', 'GET https://***@host.example/a.git failed'],
  ['https://user:p@ss@host.example/a@b', 'https://***@host.example/a@b'],
  ['git+https://user:pw@host.example/a.git#abc', 'git+https://***@host.example/a.git#abc'],
  ['https://user:pa/ss@host.example/a', 'https://***@host.example/a'],
  ['fatal: https://user:pa?s/s#@host.example/a b@c', 'fatal: https://***@host.example/a b@c'],
  ['{"a":"https://u:p/w@h.example","b":"x@y"}', '{"a":"https://***@h.example","b":"x@y"}'],
  ['http://npm:4873/@scope/name/-/name-1.tgz', 'http://npm:4873/@scope/name/-/name-1.tgz'],
  ['http://[::1]:4873/a@b', 'http://[::1]:4873/a@b'],
  ['git+ssh://host.example:team/a@b.git', 'git+ssh://host.example:team/a@b.git'],
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
  ['PWD=/srv/app', 'PWD=/srv/app'],
  ['+ PWD=/srv/app make pwd=/tmp', '+ PWD=/srv/app make pwd=/tmp'],
  ['https://h.example/f?pwd=abc&sig=def;auth=ghi', 'https://h.example/f?pwd=***&sig=***;auth=***'],
  ['Server=db;Uid=sa;Pwd=abc;', 'Server=db;Uid=sa;Pwd=***;'],
  ['signature=valid auth=none sig=9', 'signature=valid auth=none sig=9'],
  ['TOKEN=abc', 'TOKEN=***'],
  ['STEP 3/4: RUN TOKEN=$TOKEN login', 'STEP 3/4: RUN TOKEN=$TOKEN login'],
  [`password=\${DB_PASSWORD}; secret=$1abc`, `password=\${DB_PASSWORD}; secret=***`],
  [`docker://base@sha256:${'0'.repeat(64)}`, `docker://base@sha256:${'0'.repeat(64)}`],
  [`docker://u:p@host@sha256:${'0'.repeat(64)}`, `docker://***@host@sha256:${'0'.repeat(64)}`],
])('masks %s', (text, expected) => {
  expect(maskCredentials(text)).toBe(expected);
  expect(maskCredentials(maskCredentials(text))).toBe(expected);
});

test('a long hostile text takes no time', async () => {
  const texts = [
    'a'.repeat(300_000),
    'a://'.repeat(100_000),
    `${'a://b:c'.repeat(50_000)} @`,
    `${'a://b:c/'.repeat(40_000)} @`,
    'token='.repeat(60_000),
    '@'.repeat(300_000),
  ];
  expect(await processorMs(() => texts.forEach(maskCredentials))).toBeLessThan(2000);
});
