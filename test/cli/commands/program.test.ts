import { describe, expect, test } from 'vitest';
import { effectiveSettings } from '../../../src/cli/commands/config.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { durationMs } from '../../../src/domain/duration.ts';
import { stowage as run } from '../../support/stowage-command.ts';

const stowage = (args: string[], env: Record<string, string> = {}) => run(args, { env });

describe('the program', () => {
  test.each([
    [['nonsense'], "error: unknown command 'nonsense'"],
    [['prefetch'], "error: missing required argument 'repository'"],
    [['config', '--nonsense'], "error: unknown option '--nonsense'"],
    [['user', 'add'], "error: missing required argument 'name'"],
    [['prefetch', '.', '--sbom-format', 'x'], 'Allowed choices are cyclonedx-1.6, spdx-2.3.'],
  ])('%j is a usage error', async (args, message) => {
    const { status, stdout, stderr } = await stowage(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  test('--help and --version are not', async () => {
    expect(await stowage(['--version'])).toMatchObject({ status: 0, stdout: '0.1.0\n' });
    const { status, stdout } = await stowage(['--help']);
    expect(status).toBe(0);
    for (const command of 'serve gateway worker migrate config doctor gc fsck prefetch user sbom logs verify'.split(
      ' ',
    )) {
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
  });

  test('a setting that does not exist, and one that does not parse', async () => {
    expect(await stowage(['config'], { STOWAGE_PROT: '1' })).toMatchObject({
      status: 4,
      stderr: 'error: STOWAGE_PROT is not a setting; "stowage config" lists them\n',
    });
    expect(await stowage(['config'], { STOWAGE_PORT: 'x' })).toMatchObject({ status: 4 });
  });

  test('config prints values and where they come from, without secrets', async () => {
    const { stdout } = await stowage(['config', '--json'], {
      STOWAGE_PORT: '0',
      STOWAGE_ADMIN_PASSWORD: 'correct horse',
      DATABASE_URL: 'postgresql://me:secret@db.example/stowage',
    });
    const rows = JSON.parse(stdout) as { name: string; value: unknown; source: string }[];
    const row = (name: string) => rows.find((one) => one.name === name);
    expect(row('STOWAGE_PORT')).toMatchObject({ value: 0, source: 'environment' });
    expect(row('STOWAGE_HOST')).toMatchObject({ value: '127.0.0.1', source: 'default' });
    expect(row('STOWAGE_ADMIN_PASSWORD')).toMatchObject({ value: '***', source: 'environment' });
    expect(row('DATABASE_URL')).toMatchObject({ value: 'postgresql://***@db.example/stowage' });
  });
});

test('passwords inside of URLs of any setting are masked', () => {
  const environment = {
    STOWAGE_NPM_REGISTRY: 'https://me:secret@npm.example/a',
    STOWAGE_GOPROXY: 'https://me:secret@go.example,direct',
    STOWAGE_URL_REWRITES: 'https://a.example/=https://me:secret@b.example/',
  };
  const rows = effectiveSettings(readSettings(environment), environment);
  expect(JSON.stringify(rows)).not.toContain('secret');
  expect(rows.find(({ name }) => name === 'STOWAGE_URL_REWRITES')!.value).toEqual([
    { prefix: 'https://a.example/', replacement: 'https://***@b.example/' },
  ]);
});

test.each([
  ['90s', 90_000],
  ['12h', 43_200_000],
  ['30d', 2_592_000_000],
])('%s are %i ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each(['', '0d', '30', 'd', '-1d', '1y'])('"%s" is no duration', (text) => {
  expect(() => durationMs(text)).toThrow('is not a duration');
});
