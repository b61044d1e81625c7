import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readUpstream } from '../../../../src/workers/ecosystems/rubygems/upstream.ts';
import { temporaryDirectory } from '../../../support/resolve-context.ts';

const REMOTE = 'https://rubygems.org/';
const basic = (credentials: string) => ({
  authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
});

interface Machine {
  setting?: string;
  environment?: Record<string, string>;
  /** `~/.bundle/config` */
  bundle?: string;
  gemrc?: string;
  netrc?: string;
}

function upstreamOf({ setting, environment = {}, bundle, gemrc, netrc }: Machine) {
  const home = temporaryDirectory();
  mkdirSync(join(home, '.bundle'));
  if (bundle !== undefined) writeFileSync(join(home, '.bundle/config'), bundle);
  if (gemrc !== undefined) writeFileSync(join(home, '.gemrc'), gemrc);
  if (netrc !== undefined) writeFileSync(join(home, '.netrc'), netrc);
  return readUpstream({ rubygemsSource: setting ?? null }, { HOME: home, ...environment });
}

describe('where gems come from', () => {
  test.each<[string, Machine, string]>([
    ['nothing configured: what the lock names', {}, REMOTE],
    ['the setting', { setting: 'https://gems.example/a' }, 'https://gems.example/a/'],
    [
      'the setting before everything else',
      {
        setting: 'https://gems.example',
        environment: { BUNDLE_MIRROR__ALL: 'https://mirror.example' },
        gemrc: ':sources:\n- https://other.example\n',
      },
      'https://gems.example/',
    ],
    [
      'a mirror of everything',
      { environment: { BUNDLE_MIRROR__ALL: 'https://m.example/x/' } },
      'https://m.example/x/',
    ],
    [
      'a mirror of this registry',
      { environment: { 'BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/': 'http://m.example:81' } },
      'http://m.example:81/',
    ],
    [
      'in the configuration of Bundler, without the slash',
      { bundle: '---\nBUNDLE_JOBS: "4"\nBUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG: "https://m.example"\n' },
      'https://m.example/',
    ],
    [
      'a mirror with a time-out',
      {
        bundle:
          'BUNDLE_MIRROR__ALL: "https://m.example"\nBUNDLE_MIRROR__ALL__FALLBACK_TIMEOUT: "true"\n' +
          'BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/__FALLBACK_TIMEOUT: "3"\n',
      },
      'https://m.example/',
    ],
    [
      'a mirror of another registry',
      { bundle: 'BUNDLE_MIRROR__HTTPS://OTHER__EXAMPLE/: "https://m.example"\n' },
      REMOTE,
    ],
    [
      'the environment before the file',
      {
        environment: { BUNDLE_MIRROR__ALL: 'https://first.example' },
        bundle: 'BUNDLE_MIRROR__ALL: "https://second.example"\n',
      },
      'https://first.example/',
    ],
    [
      'gemrc',
      {
        gemrc:
          '---\n:backtrace: false\n:sources:\n- https://gems.example\n- https://b.example\n:verbose: true\n',
      },
      'https://gems.example/',
    ],
    [
      'gemrc with another writing',
      { gemrc: 'sources:\n  - "https://gems.example/x"\ngem: --no-document\n' },
      'https://gems.example/x/',
    ],
    [
      'no URL',
      { environment: { BUNDLE_MIRROR__ALL: 'nonsense' }, gemrc: ':sources:\n- file:///srv\n' },
      REMOTE,
    ],
  ])('%s', async (_, machine, expected) => {
    expect((await upstreamOf(machine)).sourceFor(REMOTE).url).toBe(expected);
  });

  test.each(['BUNDLE_CONFIG', 'BUNDLE_USER_CONFIG'])('%s names another file', async (name) => {
    const file = join(temporaryDirectory(), 'config');
    writeFileSync(file, 'BUNDLE_MIRROR__ALL: https://m.example\n');
    const upstream = await upstreamOf({ environment: { [name]: file } });
    expect(upstream.sourceFor(REMOTE).url).toBe('https://m.example/');
  });
});

test.each<[string, string, string]>([
  ['another source of gemrc', 'https://private.example', 'https://private.example/'],
  ['the target of a mirror', 'https://m.example/', 'https://m.example/'],
  ['the registry of the contract', REMOTE, 'https://gems.example/'],
])(
  'the first source of gemrc stands for the registry of the contract only: %s',
  async (_, remote, expected) => {
    const upstream = await upstreamOf({
      bundle: 'BUNDLE_MIRROR__HTTPS://OTHER__EXAMPLE/: "https://m.example"\n',
      gemrc: ':sources:\n- https://gems.example\n- https://me:secret@private.example/\n',
    });
    const source = upstream.sourceFor(remote);
    expect(source.url).toBe(expected);
    expect(source.headersFor('https://private.example/gems/a-1.gem')).toEqual(
      remote === 'https://private.example' ? basic('me:secret') : {},
    );
  },
);

describe('credentials', () => {
  const url = 'https://gems.example/gems/a-1.gem';

  test.each<[string, Machine, Record<string, string>]>([
    ['none', { setting: 'https://gems.example' }, {}],
    ['of the URL', { setting: 'https://me:p%40ss@gems.example' }, basic('me:p@ss')],
    [
      'of Bundler',
      { setting: 'https://gems.example', environment: { BUNDLE_GEMS__EXAMPLE: 'me:secret' } },
      basic('me:secret'),
    ],
    [
      'of netrc',
      { setting: 'https://gems.example', netrc: 'machine gems.example login me password secret\n' },
      basic('me:secret'),
    ],
    ['of another host', { setting: 'https://me:secret@other.example' }, {}],
    ['never over another protocol', { setting: 'http://me:secret@gems.example' }, {}],
  ])('%s', async (_, machine, expected) => {
    const source = (await upstreamOf(machine)).sourceFor(REMOTE);
    expect(source.url).not.toMatch(/me|secret/);
    expect(source.headersFor(url)).toEqual(expected);
  });
});

test('what the operator configured is known', async () => {
  const upstream = await upstreamOf({
    bundle: 'BUNDLE_MIRROR__HTTPS://OTHER__EXAMPLE/: "https://m.example"\n',
    gemrc: ':sources:\n- https://me:secret@gems.example/x\n',
  });
  const known = ['https://m.example', 'https://gems.example/x/', 'https://gems.example/', REMOTE];
  expect(known.map((remote) => upstream.isConfigured(remote))).toEqual([true, true, false, false]);
});
