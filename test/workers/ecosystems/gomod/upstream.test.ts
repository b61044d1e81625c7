import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readUpstream } from '../../../../src/workers/ecosystems/gomod/upstream.ts';
import { temporaryDirectory } from '../../../support/resolve-context.ts';

const read = (goproxy: string, proxyFromSettings = true, allowPrivateNetworks = false, netrc = '') => {
  const file = join(temporaryDirectory(), 'netrc');
  writeFileSync(file, netrc);
  return readUpstream({ goproxy, proxyFromSettings }, allowPrivateNetworks, { NETRC: file });
};
const server = (url: string, nextOnAnyError = false, headers: Record<string, string> = {}) => ({
  url,
  headers,
  nextOnAnyError,
});

describe('GOPROXY', () => {
  test('several proxies, then the repositories', async () => {
    expect(await read('https://a.example/x/,http://b.example|https://c.example,direct')).toEqual({
      proxies: [server('https://a.example/x'), server('http://b.example', true), server('https://c.example')],
      rest: ['direct'],
    });
  });

  test('the repositories only where the operator asks for them', async () => {
    expect((await read('https://a.example,direct', false)).rest).toEqual([]);
    expect((await read('https://a.example,direct', false, true)).rest).toEqual(['direct']);
  });

  test.each([
    ['off', { proxies: [], rest: ['off'] }],
    ['https://a.example,off,https://b.example', { proxies: [server('https://a.example')], rest: ['off'] }],
    ['file:///srv/modules', { proxies: [], rest: ['file:///srv/modules'] }],
  ])('%s', async (text, expected) => {
    expect(await read(text)).toEqual(expected);
  });

  test('credentials of the URL or of netrc, for their host', async () => {
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
    const netrc = 'machine b.example login user password secret';
    expect(
      await read('https://me:p%40ss@a.example,https://b.example,https://c.example', true, false, netrc),
    ).toEqual({
      proxies: [
        server('https://a.example', false, basic('me:p@ss')),
        server('https://b.example', false, basic('user:secret')),
        server('https://c.example'),
      ],
      rest: [],
    });
  });

  test.each(['ftp://a.example', 'noproxy', 'direct,https://a.example'])('refuses %s', async (text) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'fetch-failed' });
  });
});
