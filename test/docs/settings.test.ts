import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSettings, SETTINGS, type Settings } from '../../src/domain/config.ts';

const README = join(import.meta.dirname, '../../README.md');

/** Defaults that depend on the machine, or are too long for a cell. */
const DESCRIBED_DEFAULTS: Partial<Record<keyof Settings, string>> = {
  dataDir: '`./var`',
  blobStore: '`file:` + data directory + `/blobs`',
  workerConcurrency: '2 × cores',
  packageManagers: 'all',
  mutuallyExclusivePackageManagers: '`npm/yarn`',
  requestLifetime: '`1d`',
  requestLifetimeFailed: '`7d`',
  nativeRequestLifetime: 'never',
  requestRetention: 'never',
  buildRetention: 'never',
  logRetention: '`365d`',
  eventRetention: '`30d`',
  auditRetention: 'never',
  deadJobRetention: '`90d`',
  pruneAge: '`730d`',
  pruneMinimumAge: '`365d`',
  environmentVariables: '`{}`',
  npmFileDepsAllowlist: '`{}`',
  yarnFileDepsAllowlist: '`{}`',
  limits: 'below',
  buildConcurrency: 'cores',
  buildSourceLifetime: '`30d`',
  taskConcurrency: '–',
  drainSeconds: '`5s`',
};

test('the table of settings in the README is the table in the code', () => {
  expect(rowsOfReadme()).toEqual(rowsOfCode());
});

test('the limits in the README are the limits in the code', () => {
  const expected = Object.entries(readSettings({}).limits).map(([name, value]) => `${name}=${value}`);
  const block = /```text\n(artifactBytes=[^`]*)```/.exec(readFileSync(README, 'utf8'))?.[1] ?? '';
  expect(block.split(/\s+/).filter(Boolean)).toEqual(expected);
});

function rowsOfReadme(): string[] {
  const lines = readFileSync(README, 'utf8').split('\n');
  return lines.filter((line) => /^\| `(STOWAGE_|DATABASE_URL)/.test(line));
}

function rowsOfCode(): string[] {
  const defaults = readSettings({});
  return SETTINGS.map(
    ({ variable, key, meaning }) => `| \`${variable}\` | ${cell(key, defaults[key])} | ${meaning} |`,
  );
}

function cell(key: keyof Settings, value: unknown): string {
  const described = DESCRIBED_DEFAULTS[key];
  if (described !== undefined) return described;
  if (value === null || (Array.isArray(value) && value.length === 0)) return '–';
  return `\`${Array.isArray(value) ? value.join(' ') : String(value)}\``;
}
