import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { EnvironmentVariable } from '../../../src/domain/bundles/bundle-file.ts';
import {
  consumerFiles,
  environmentJson,
  environmentScript,
} from '../../../src/domain/bundles/consumer-files.ts';

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'stowage-env-')));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const literal = (name: string, value: string): EnvironmentVariable => ({ name, value, kind: 'literal' });
const path = (name: string, value: string): EnvironmentVariable => ({ name, value, kind: 'path' });

const shells = ['sh', 'dash', 'bash', 'busybox', 'zsh', 'ksh'].filter((shell) => {
  try {
    execFileSync('sh', ['-c', `command -v ${shell}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** What a program sees that a shell starts after sourcing the script. */
function sourced(
  shell: string,
  script: string,
  {
    cwd,
    file = './stowage.env',
    before = 'set -eu',
    environment = {},
  }: {
    cwd: string;
    file?: string;
    before?: string;
    environment?: Record<string, string>;
  },
): Record<string, string> {
  mkdirSync(cwd, { recursive: true });
  writeFileSync(join(cwd, 'stowage.env'), script);
  const print = `${process.execPath} -p 'JSON.stringify(process.env)'`;
  const args = [...(shell === 'busybox' ? ['sh'] : []), '-c', `${before}; . "$1"; ${print}`, 'shell', file];
  const output = execFileSync(shell, args, {
    cwd: file.startsWith('/') ? '/' : cwd,
    encoding: 'utf8',
    // bash reads the user's files when its input is a socket.
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, ...environment },
  });
  return JSON.parse(output) as Record<string, string>;
}

const VALUES = [
  'plain',
  '',
  ' two  words ',
  "it's",
  '"double"',
  '$HOME $(touch evil) `touch evil`',
  'back\\slash\\',
  'line\nbreak',
  '*?[a]~!#;&|<>()',
  '-n',
  'naïve',
  'http://user:p%40ss@host.example/simple/?a=1&b=2',
];

describe.each(shells)('%s', (shell) => {
  test('gives every value as it is', () => {
    const variables = VALUES.map((value, at) => literal(`V${at}`, value));
    const environment = sourced(shell, environmentScript(variables), { cwd: join(directory, 'values') });
    expect(variables.map(({ name }) => environment[name])).toEqual(VALUES);
  });

  test.each([
    'plain',
    'with space',
    "it's",
    '"double"',
    '$HOME $(touch evil)',
    'back\\slash',
    '-n',
    'naïve',
    'star*',
    'line\nbreak',
  ])('paths are absolute in a directory that is called %j', (name) => {
    const cwd = join(directory, shell, name);
    const script = environmentScript([path('A', 'deps/go mod'), path('B', '.')]);
    expect(sourced(shell, script, { cwd })).toMatchObject({
      STOWAGE_BUNDLE: cwd,
      A: `${cwd}/deps/go mod`,
      B: `${cwd}/.`,
    });
  });

  test.each([
    ['plain', 'plain', ''],
    ['with space', 'with%20space', 'file://'],
    ['100%#1?', '100%25%231%3F', 'file://'],
  ])('pip finds its files in a directory that is called %j', (name, encoded, scheme) => {
    const parent = join(directory, shell, 'pip');
    const script = environmentScript([path('PIP_FIND_LINKS', 'deps/pip'), path('STOWAGE_DEPS', 'deps')]);
    expect(sourced(shell, script, { cwd: join(parent, name) })).toMatchObject({
      STOWAGE_DEPS: `${parent}/${encoded}/deps`,
      PIP_FIND_LINKS: `${scheme}${parent}/${encoded}/deps/pip`,
    });
  });

  test('a CDPATH of the user does not matter', () => {
    const cwd = join(directory, 'cdpath');
    const script = environmentScript([path('A', 'deps')]);
    const environment = { CDPATH: '/:/tmp:.' };
    expect(sourced(shell, script, { cwd, environment })).toMatchObject({ A: `${cwd}/deps` });
  });
});

test('bash finds the bundle from anywhere', () => {
  const cwd = join(directory, 'far away');
  const script = environmentScript([path('A', 'deps')]);
  const file = join(cwd, 'stowage.env');
  const environment = { STOWAGE_BUNDLE: '/another/one' };
  expect(sourced('bash', script, { cwd, file, environment })).toMatchObject({ A: `${cwd}/deps` });
});

test('other shells are told where the bundle is', () => {
  const cwd = join(directory, 'told');
  const script = environmentScript([path('A', 'deps')]);
  const file = join(cwd, 'stowage.env');
  const environment = { STOWAGE_BUNDLE: cwd };
  expect(sourced('sh', script, { cwd, file, environment })).toMatchObject({ A: `${cwd}/deps` });
});

test('variables are sorted, and of two values the later one counts', () => {
  const variables = [literal('B', '1'), path('A', 'x'), literal('B', '2'), literal('a', '3')];
  expect(environmentScript(variables).split('\n').slice(-4)).toEqual([
    'export A="$STOWAGE_BUNDLE"/x',
    'export B=2',
    'export a=3',
    '',
  ]);
  expect(JSON.parse(environmentJson(variables))).toEqual([
    { name: 'A', value: 'x', kind: 'path' },
    { name: 'B', value: '2', kind: 'literal' },
    { name: 'a', value: '3', kind: 'literal' },
  ]);
});

test.each(['', '1A', 'A B', 'A=1;touch evil', 'A\nB'])('%j is no name of a variable', (name) => {
  expect(() => environmentScript([literal(name, 'x')])).toThrow('is no name of a variable');
});

test('configuration lies next to the source, not over it', () => {
  const files = consumerFiles(
    [literal('A', '1')],
    [{ path: 'app/package-lock.json', content: Buffer.from('{}') }],
  );
  expect(files.map((file) => file.path)).toEqual(['stowage.env', 'config/app/package-lock.json']);
  expect(files[1]!.content.toString()).toBe('{}');
});
