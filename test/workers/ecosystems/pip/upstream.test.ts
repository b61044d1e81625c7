import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isSameIndex, readUpstream } from '../../../../src/workers/ecosystems/pip/upstream.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-netrc-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const NETRC = join(directory, 'netrc');
writeFileSync(NETRC, 'machine files.example login l password p\n');

const HELP = `
  -i, --index-url <url>       Base URL of the Python Package Index (default
                              https://default.example/simple). This should
                              point to a repository.
  --extra-index-url <url>     Extra URLs.
`;

const pip =
  (configuration: string, help = HELP) =>
  async (args: readonly string[]) =>
    args[0] === 'config' ? configuration : help;

const upstream = (setting: string | null, environment: Record<string, string> = {}, runPip = pip('')) =>
  readUpstream({ pypiIndex: setting }, { NETRC: '/nowhere', ...environment }, runPip);

describe('the index', () => {
  test.each<[string, string | null, Record<string, string>, string, string]>([
    ['setting', 'https://m.example', {}, '', 'https://m.example/simple/'],
    ['setting with path', 'https://m.example/pypi/simple//', {}, '', 'https://m.example/pypi/simple/'],
    ['setting of devpi', 'https://m.example/root/+simple/', {}, '', 'https://m.example/root/+simple/'],
    ['variable', null, { PIP_INDEX_URL: 'https://v.example/x' }, '', 'https://v.example/x/'],
    ['empty variable', null, { PIP_INDEX_URL: '' }, '', 'https://default.example/simple/'],
    ['configuration', null, {}, "global.index-url='https://c.example/simple'\n", 'https://c.example/simple/'],
    [
      'configuration of a command',
      null,
      {},
      "global.index-url='https://c.example/simple'\ndownload.index-url='https://d.example/simple'\n",
      'https://d.example/simple/',
    ],
    ['default of pip', null, {}, "global.cert='x'\n", 'https://default.example/simple/'],
  ])('%s', async (_, setting, environment, configuration, index) => {
    expect((await upstream(setting, environment, pip(configuration))).index).toBe(index);
  });

  test('is not known', async () => {
    await expect(upstream(null, {}, pip('', ''))).rejects.toThrow(
      'No Python package index is known on this machine',
    );
    await expect(upstream(null, { PIP_INDEX_URL: 'file:///srv/index' })).rejects.toThrow(
      'The package index is not an http or https URL',
    );
  });

  test('of a requirements file is the same', async () => {
    const one = await upstream('https://u:p@m.example/simple');
    expect(isSameIndex(one, 'https://m.example/simple/')).toBe(true);
    expect(isSameIndex(one, 'https://x:y@m.example/simple')).toBe(true);
    expect(isSameIndex(one, 'https://m.example/other')).toBe(false);
    expect(isSameIndex(one, 'nonsense')).toBe(false);
  });
});

describe('credentials', () => {
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

  test.each<[string, string, object]>([
    ['https://m.example/simple/a/', 'https://u:p%40w@m.example/simple', basic('u:p@w')],
    ['https://files.example/a.zip', 'https://u:p@m.example/simple', basic('l:p')],
    ['https://other.example/a.zip', 'https://u:p@m.example/simple', {}],
    ['http://m.example/a.zip', 'https://u:p@m.example/simple', {}],
    ['https://m.example:8443/a.zip', 'https://u:p@m.example/simple', {}],
  ])('for %s', async (url, setting, headers) => {
    const one = await upstream(setting, { NETRC });
    expect(one.index).not.toContain('p@');
    expect(one.headersFor(url)).toEqual(headers);
  });
});
