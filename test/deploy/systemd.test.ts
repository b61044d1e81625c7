import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import { durationMs } from '../../src/domain/duration.ts';
import { TASKS } from '../../src/domain/queue/tasks.ts';

const UNITS = join(import.meta.dirname, '../../deploy/systemd');
const execute = promisify(execFile);
const names = readdirSync(UNITS).filter((name) => !name.endsWith('.env'));
const services = names.filter((name) => name.endsWith('.service'));
const running = services.filter((name) => name !== 'stowage-migrate.service');

/** Values of a key in the order of the file. */
function valuesOf(unit: string, key: string): string[] {
  const lines = readFileSync(join(UNITS, unit), 'utf8').split('\n');
  return lines.flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
}

/** As systemd splits them: words, or what is in quotes. */
function environmentOf(unit: string): Record<string, string> {
  const words = valuesOf(unit, 'Environment').flatMap((value) => value.match(/"[^"]*"|\S+/g) ?? []);
  return Object.fromEntries(words.map((word) => word.replaceAll('"', '').split(/=(.*)/s).slice(0, 2)));
}

const withoutCredentials = (environment: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => !value.startsWith('%d/')));

const common = Object.fromEntries(
  readFileSync(join(UNITS, 'stowage.env'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, name, value] = /^#?([A-Z_]+)=(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value!]];
    }),
);

test.each(services)('%s starts with its settings', (unit) => {
  const environment = environmentOf(unit);
  const settings = readSettings({ ...withoutCredentials(environment), ...common });
  expect(settings.dataDir).toBe(`/var/lib/${valuesOf(unit, 'StateDirectory')[0]}`);
  const credentials = valuesOf(unit, 'LoadCredential').map((value) => `%d/${value.split(':')[0]}`);
  expect(Object.values(environment).filter((value) => value.startsWith('%d/'))).toEqual(credentials);
  expect(environment.DATABASE_URL_FILE).toBe('%d/database-url');
  for (const name of Object.keys(common)) expect(environment).not.toHaveProperty(name);
  const [command] = valuesOf(unit, 'ExecStart');
  expect(command).toMatch(/^\/opt\/stowage\/bin\/stowage (migrate|gateway|worker)$/);
});

test.each(running)('%s has time to stop, and is started again', (unit) => {
  const { drainSeconds } = readSettings(withoutCredentials(environmentOf(unit)));
  const [stop = ''] = valuesOf(unit, 'TimeoutStopSec');
  const milliseconds = durationMs(/^\d+$/.test(stop) ? `${stop}s` : stop.replace('min', 'm'));
  expect(milliseconds).toBeGreaterThanOrEqual((drainSeconds + 10) * 1000);
  expect(valuesOf(unit, 'Restart')).toEqual(['always']);
  expect(valuesOf(unit, 'StartLimitIntervalSec')).toEqual(['0']);
});

test('every task is taken by a worker or a builder', () => {
  const taken = ['stowage-worker@.service', 'stowage-builder@.service'].flatMap(
    (unit) => readSettings(withoutCredentials(environmentOf(unit))).workerTasks!,
  );
  expect(taken.toSorted()).toEqual([...TASKS].toSorted());
});

const analyze = await execute('systemd-analyze', ['--version']).then(
  () => 'systemd-analyze',
  () => null,
);
if (analyze === null) process.stderr.write('skipped, systemd-analyze: it is not on this machine\n');

test.skipIf(analyze === null)('systemd finds nothing wrong with the units', async () => {
  const root = mkdtempSync(join(tmpdir(), 'stowage-units-'));
  const directory = join(root, 'units');
  mkdirSync(directory);
  try {
    for (const name of names) {
      // The program is where an installation has it.
      const text = readFileSync(join(UNITS, name), 'utf8').replaceAll(
        '/opt/stowage/bin/stowage',
        '/bin/true',
      );
      writeFileSync(join(directory, name), text);
    }
    const paths = names.map((name) => join(directory, name));
    const { stdout, stderr } = await execute(analyze!, ['verify', '--man=no', ...paths]);
    expect(stdout + stderr).toBe('');
  } finally {
    rmSync(root, { recursive: true });
  }
});
