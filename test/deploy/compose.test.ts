import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readSettings } from '../../src/domain/config.ts';
import { durationMs } from '../../src/domain/duration.ts';
import { TASKS } from '../../src/domain/queue/tasks.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const execute = promisify(execFile);

interface Service {
  command?: string[];
  environment: Record<string, string>;
  secrets: string[];
  volumes: string[];
  ports?: string[];
  healthcheck?: { test: string[] };
  stop_grace_period?: string;
  depends_on?: Record<string, { condition: string }>;
}
interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
}

const directory = mkdtempSync(join(tmpdir(), 'stowage-compose-'));
const read = (name: string): Compose =>
  parse(readFileSync(join(DEPLOY, 'compose', name), 'utf8'), { merge: true }) as Compose;
const { services, volumes, secrets } = read('compose.yaml');
const own = Object.entries(services).filter(([name]) => name !== 'postgres');

/**
 * As a process sees it when nobody has said anything, with the secrets in another place; they are made by the script that
 * the documentation names.
 */
function inContainer(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, text]) => {
      const value = text.replace(/^\$\{\w+:-(.*)\}$/, '$1');
      const secret = /^\/run\/secrets\/(.+)$/.exec(value)?.[1];
      return [
        name,
        secret === undefined ? value : join(directory, 'secrets', basename(secrets[secret]!.file)),
      ];
    }),
  );
}

describe('the compose file', () => {
  beforeAll(async () => {
    cpSync(join(DEPLOY, 'compose/make-secrets'), join(directory, 'make-secrets'));
    await execute(join(directory, 'make-secrets'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('has its secrets from a script, which makes them once', async () => {
    const files = Object.values(secrets).map(({ file }) => basename(file));
    expect(readdirSync(join(directory, 'secrets'))).toEqual(files.toSorted());
    expect(statSync(join(directory, 'secrets')).mode & 0o777).toBe(0o700);
    const all = () => files.map((file) => readFileSync(join(directory, 'secrets', file), 'utf8'));
    const before = all();
    await execute(join(directory, 'make-secrets'));
    expect(all()).toEqual(before);
  });

  test.each(own)(
    '%s starts with its settings',
    (_, { environment, secrets: given, volumes: mounted, ...service }) => {
      const settings = readSettings(inContainer(environment));
      expect(settings.databaseUrl).toMatch(/^postgresql:\/\/stowage:[0-9a-f]{48}@postgres\/stowage$/);
      expect(settings.registryUrl).toBe('http://gateway:8080');
      const named = Object.values(environment).flatMap(
        (value) => /^\/run\/secrets\/(.+)$/.exec(value)?.[1] ?? [],
      );
      expect(given.toSorted()).toEqual(named.toSorted());
      for (const volume of mounted) expect(volumes).toHaveProperty(volume.split(':')[0]!);
      expect(mounted.map((volume) => volume.split(':')[1])).toContain(
        settings.blobStore.slice('file:'.length),
      );
      expect(['gateway', 'worker', 'migrate']).toContain(service.command![0]);
    },
  );

  test.each(own.filter(([, { command }]) => command![0] !== 'migrate'))(
    '%s has time to stop',
    (_, service) => {
      const { drainSeconds } = readSettings(inContainer(service.environment));
      expect(durationMs(service.stop_grace_period!)).toBeGreaterThanOrEqual((drainSeconds + 10) * 1000);
      expect(service.depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } });
    },
  );

  test('every process has a data directory of its own', () => {
    const directories = own.flatMap(([, one]) =>
      one.volumes.filter((volume) => volume.endsWith(':/var/lib/stowage')),
    );
    expect(directories).toHaveLength(4);
    expect(new Set(directories).size).toBe(4);
  });

  test('gateways are asked by a program of the image, on their port', () => {
    const gateways = own.filter(([, { command }]) => command![0] === 'gateway');
    expect(gateways).toHaveLength(2);
    const { port } = readSettings({});
    for (const [, { ports, healthcheck }] of gateways) {
      expect(ports!.map((one) => one.split('}:')[1])).toEqual([String(port)]);
      expect(healthcheck!.test).toEqual(['CMD', 'is-ready']);
    }
    expect(existsSync(join(DEPLOY, 'is-ready'))).toBe(true);
    expect(readFileSync(join(DEPLOY, '../Dockerfile'), 'utf8')).toContain(
      'ln -s /opt/stowage/bin/stowage /opt/stowage/deploy/is-ready /usr/local/bin/',
    );
  });

  test('workers take everything but builds', () => {
    const workers = own.filter(([, { command }]) => command![0] === 'worker');
    expect(workers).toHaveLength(2);
    for (const [, { environment, healthcheck }] of workers) {
      expect(readSettings(inContainer(environment)).workerTasks?.toSorted()).toEqual(
        TASKS.filter((task) => task !== 'build-image').toSorted(),
      );
      expect(healthcheck!.test).toEqual(['CMD', 'stowage', 'workers', '--here']);
    }
  });

  test('blobs can be in S3 instead', () => {
    const over = read('compose.s3.yaml');
    expect(Object.keys(over.services).toSorted()).toEqual(
      own
        .map(([name]) => name)
        .filter((name) => name !== 'migrate')
        .toSorted(),
    );
    for (const { environment, secrets: given } of Object.values(over.services)) {
      const { AWS_REGION: _, AWS_SHARED_CREDENTIALS_FILE: file, ...settings } = environment;
      expect(
        readSettings({ ...settings, STOWAGE_BLOB_STORE: 's3://blobs/b', STOWAGE_S3_ENDPOINT: '' }).blobStore,
      ).toBe('s3://blobs/b');
      expect(given).toEqual([file!.slice('/run/secrets/'.length)]);
    }
  });
});

const compose = await execute('docker-compose', ['--version']).then(
  () => 'docker-compose',
  () => null,
);
if (compose === null) process.stderr.write('skipped, docker-compose: it is not on this machine\n');

test.skipIf(compose === null)('docker-compose takes both files', async () => {
  const files = ['compose.yaml', 'compose.s3.yaml'].flatMap((name) => [
    '--file',
    join(DEPLOY, 'compose', name),
  ]);
  const environment = { ...process.env, STOWAGE_BLOB_STORE: 's3://blobs/b' };
  const { stdout } = await execute(compose!, [...files, 'config', '--services'], { env: environment });
  expect(stdout.trim().split('\n').toSorted()).toEqual(Object.keys(services).toSorted());
});
