import { describe, expect, test } from 'vitest';
import { PACKAGE_MANAGERS } from '../../../src/domain/packages/package.ts';
import { canProcess, type ServiceStatus, whyUnavailable } from '../../../src/domain/status/system-status.ts';

const up = (name: string): ServiceStatus => ({ name, ok: true, reason: null });
const down = (name: string, reason = 'connection failed'): ServiceStatus => ({ name, ok: false, reason });
const NAMES = ['database', 'queue', 'storage', 'git', 'npm-registry', 'pypi', 'go-proxy', 'rubygems'];
const ALL = [...PACKAGE_MANAGERS];
const WORKER = up('stowage@one');
const DEAD = down('stowage@two', 'Node did not respond to ping');

describe('what can be processed', () => {
  test.each<[string, string[], ServiceStatus[], string[]]>([
    ['everything', [], [WORKER], ALL],
    ['everything, with one of two workers', [], [WORKER, DEAD], ALL],
    ['nothing without a worker', [], [], []],
    ['nothing when no worker answers', [], [DEAD], []],
    ['nothing without the database', ['database'], [WORKER], []],
    ['nothing without the queue', ['queue'], [WORKER], []],
    ['nothing without the storage', ['storage'], [WORKER], []],
    ['nothing without git', ['git'], [WORKER], []],
    ['no Go', ['go-proxy'], [WORKER], ['npm', 'pip', 'git-submodule', 'yarn', 'rubygems']],
    ['no JavaScript', ['npm-registry'], [WORKER], ['gomod', 'pip', 'git-submodule', 'rubygems']],
    ['no Python', ['pypi'], [WORKER], ['gomod', 'npm', 'git-submodule', 'yarn', 'rubygems']],
    ['no Ruby', ['rubygems'], [WORKER], ['gomod', 'npm', 'pip', 'git-submodule', 'yarn']],
    [
      'only what needs no upstream',
      ['npm-registry', 'pypi', 'go-proxy', 'rubygems'],
      [WORKER],
      ['git-submodule'],
    ],
  ])('%s', (_case, broken, workers, expected) => {
    const services = NAMES.map((name) => (broken.includes(name) ? down(name) : up(name)));
    const managers = canProcess(services, workers, ALL);
    expect(managers.map(({ packageManager }) => packageManager)).toEqual(ALL);
    expect(managers.filter(({ ok }) => ok).map(({ packageManager }) => packageManager)).toEqual(expected);
  });

  test('only enabled managers are told, in their own order', () => {
    expect(canProcess([up('database')], [WORKER], ['yarn', 'gomod'])).toEqual([
      { packageManager: 'gomod', ok: true },
      { packageManager: 'yarn', ok: true },
    ]);
  });
});

test.each<[string, ServiceStatus[], ServiceStatus[], string | null]>([
  ['all is well', [up('database')], [WORKER], null],
  ['one of two workers is enough', [up('database')], [DEAD, WORKER], null],
  [
    'the first service that is down',
    [up('database'), down('storage'), down('pypi')],
    [],
    'storage unavailable: connection failed',
  ],
  [
    'an answer that says so',
    [down('npm-registry', '503: Service Unavailable')],
    [WORKER],
    'npm-registry unavailable: 503: Service Unavailable',
  ],
  ['no worker', [up('database')], [], 'no workers are available'],
  ['none that answers', [up('database')], [DEAD], 'no workers are available'],
])('in one line: %s', (_case, services, workers, expected) => {
  expect(whyUnavailable({ services, workers, canProcess: [] })).toBe(expected);
});
