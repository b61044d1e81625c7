import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import { TASKS } from '../../src/domain/queue/tasks.ts';

describe('lists of allowed file: dependencies', () => {
  const NAME = 'STOWAGE_YARN_FILE_DEPS_ALLOWLIST';

  test('are JSON', () => {
    expect(readSettings({}).yarnFileDepsAllowlist).toEqual({});
    expect(readSettings({ [NAME]: '{"a": ["b", "@c/d"], "e": []}' }).yarnFileDepsAllowlist).toEqual({
      a: ['b', '@c/d'],
      e: [],
    });
    expect(readSettings({ STOWAGE_NPM_FILE_DEPS_ALLOWLIST: '{"a": ["b"]}' }).npmFileDepsAllowlist).toEqual({
      a: ['b'],
    });
  });

  test.for(['a', '[]', 'null', '1', '{"a": "b"}', '{"a": [1]}', '{"a": {"b": []}}'])('not %s', (text) => {
    expect(() => readSettings({ [NAME]: text })).toThrow(
      `${NAME} must be a JSON object of the form {"package": ["dependency"]}`,
    );
  });
});

describe('the cap of what the Fandogh CLI uploads', () => {
  const NAME = 'STOWAGE_FANDOGH_UPLOAD_BYTES';

  test('is 512 MiB, and another one if that is said', () => {
    expect(readSettings({}).fandoghUploadBytes).toBe(536_870_912);
    expect(readSettings({ [NAME]: '200000000' }).fandoghUploadBytes).toBe(200_000_000);
  });

  test.for(['199999999', '0', '-1', '1e9', 'x'])('not %s', (text) => {
    expect(() => readSettings({ [NAME]: text })).toThrow(`${NAME} must be a whole number from 200000000 to`);
  });
});

describe('the key that signs', () => {
  const NAME = 'STOWAGE_SIGNING_KEY';
  const directory = mkdtempSync(join(tmpdir(), 'stowage-config-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };

  test('is that of a file, if one is named', () => {
    const path = file('good.pem', privateKey.export(pkcs8));
    expect(readSettings({}).signingKey).toBeNull();
    expect(readSettings({ [NAME]: path }).signingKey).toBe(path);
  });

  test.for([
    ['text', 'very secret', 'has no private key in PEM form (without a passphrase)'],
    [
      'a public key',
      publicKey.export({ type: 'spki', format: 'pem' }),
      'has no private key in PEM form (without a passphrase)',
    ],
    [
      'a key with a passphrase',
      privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'very secret' }),
      'has no private key in PEM form (without a passphrase)',
    ],
    [
      'a key of another kind',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8),
      'has a key of ec',
    ],
  ] as const)('not %s', ([name, content, problem]) => {
    const path = file(name, content);
    expect(() => readSettings({ [NAME]: path })).toThrow(
      `${NAME} (${path}) must be an Ed25519 private key, and ${problem}`,
    );
  });

  test('not a file that is not there, nor a directory', () => {
    expect(() => readSettings({ [NAME]: join(directory, 'none') })).toThrow(
      `${NAME}: there is no file ${directory}/none`,
    );
    expect(() => readSettings({ [NAME]: directory })).toThrow(
      `${NAME}: ${directory} cannot be read (EISDIR)`,
    );
  });
});

describe('a secret in a file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'stowage-config-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const file = (name: string, content: string): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const URL = 'postgresql://stowage:secret@db.example/stowage';

  test('counts as if it were the value', () => {
    const environment = {
      DATABASE_URL_FILE: file('url', `${URL}\n`),
      STOWAGE_ADMIN_PASSWORD_FILE: file('password', 'correct horse'),
    };
    expect(readSettings(environment)).toMatchObject({ databaseUrl: URL, adminPassword: 'correct horse' });
    expect(readSettings({ ...environment, DATABASE_URL: 'postgresql://other' }).databaseUrl).toBe(
      'postgresql://other',
    );
    expect(readSettings({ DATABASE_URL_FILE: '' }).databaseUrl).toBeNull();
  });

  test('must be there, and not be empty', () => {
    expect(() => readSettings({ DATABASE_URL_FILE: join(directory, 'none') })).toThrow(
      `DATABASE_URL_FILE: ${directory}/none cannot be read (ENOENT)`,
    );
    const empty = file('empty', '\n');
    expect(() => readSettings({ DATABASE_URL_FILE: empty })).toThrow(`DATABASE_URL_FILE: ${empty} is empty`);
  });

  test('is for secrets only', () => {
    expect(() => readSettings({ STOWAGE_PORT_FILE: file('port', '1') })).toThrow(
      'STOWAGE_PORT_FILE is not a setting',
    );
  });
});

describe('the tasks of a worker', () => {
  const NAME = 'STOWAGE_WORKER_TASKS';

  test('are those that are named, or all but those', () => {
    expect(readSettings({}).workerTasks).toBeNull();
    expect(readSettings({ [NAME]: 'build-image,fetch-source' }).workerTasks).toEqual([
      'build-image',
      'fetch-source',
    ]);
    expect(readSettings({ [NAME]: '-build-image -fetch-source' }).workerTasks).toEqual(
      TASKS.filter((task) => task !== 'build-image' && task !== 'fetch-source'),
    );
  });

  test.for([
    ['both', '-build-image fetch-source', 'either names tasks or'],
    ['nothing', TASKS.map((task) => `-${task}`).join(' '), 'names no task'],
    ['an unknown one', '-build-images', '"build-images"'],
    ['no name', '-', '""'],
  ] as const)('not %s', ([, text, problem]) => {
    expect(() => readSettings({ [NAME]: text })).toThrow(problem);
  });
});
