import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  credentialsFor,
  namesRegistry,
  readImageCredentials,
} from '../../../src/workers/builders/upstream-images/image-credentials.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-helpers-'));
const { PATH: path, STOWAGE_TEST_SECRET: secret } = process.env;

beforeAll(() => {
  process.env.PATH = `${directory}:${path}`;
  process.env.STOWAGE_TEST_SECRET = 'not for helpers';
});
afterAll(() => {
  process.env.PATH = path;
  if (secret === undefined) delete process.env.STOWAGE_TEST_SECRET;
  else process.env.STOWAGE_TEST_SECRET = secret;
  rmSync(directory, { recursive: true });
});

/** A program that reads the registry into $registry first. */
function helper(name: string, script: string): void {
  const file = join(directory, `docker-credential-${name}`);
  writeFileSync(file, `#!/bin/sh\n[ "$1" = get ] || exit 9\nregistry=$(cat)\n${script}\n`);
  chmodSync(file, 0o755);
}

async function ask(config: object, name: { host: string; path: string }): Promise<string | null> {
  const file = join(directory, 'config.json');
  writeFileSync(file, JSON.stringify(config));
  return await credentialsFor(await readImageCredentials(file), name, new AbortController().signal);
}

const APP = { host: 'registry.example', path: 'team/app' };
const basic = (text: string) => ({ auth: Buffer.from(text).toString('base64') });

test('a helper of the registry gives its credentials, and comes before the file itself', async () => {
  helper('given', `printf '{"ServerURL":"%s","Username":"ada","Secret":"for %s"}' "$registry" "$registry"`);
  const credHelpers = { 'registry.example': 'given' };
  expect(await ask({ credHelpers }, APP)).toBe('ada:for registry.example');
  expect(await ask({ credHelpers }, { ...APP, host: 'other.example' })).toBeNull();
  const auths = { 'registry.example': basic('eve:x'), 'registry.example/team': basic('eve:y') };
  expect(await ask({ credHelpers, auths }, { ...APP, path: 'app' })).toBe('ada:for registry.example');
  // What is said of a part of the registry is more specific.
  expect(await ask({ credHelpers, auths }, APP)).toBe('eve:y');
});

test('the store is asked last, for what the file calls the registry', async () => {
  helper('store', `printf '{"Username":"ada","Secret":"%s"}' "$registry"`);
  const auths = { 'https://registry.example/v1/': {}, 'open.example': basic('eve:x') };
  expect(await ask({ credsStore: 'store', auths }, APP)).toBe('ada:https://registry.example/v1/');
  expect(await ask({ credsStore: 'store', auths }, { ...APP, host: 'open.example' })).toBe('eve:x');
  expect(await ask({ credsStore: 'store', auths }, { ...APP, host: 'new.example' })).toBe('ada:new.example');
});

test('registries of helpers are named by the operator', async () => {
  const file = join(directory, 'named.json');
  writeFileSync(file, JSON.stringify({ credHelpers: { 'registry.example': 'given' } }));
  const credentials = await readImageCredentials(file);
  expect(namesRegistry(credentials, APP)).toBe(true);
  expect(namesRegistry(credentials, { ...APP, host: 'registry.example.org' })).toBe(false);
});

test('a helper sees none of our settings', async () => {
  helper(
    'nosy',
    `printf '{"Username":"env","Secret":"%s"}' "$(env | grep -c -e ^STOWAGE_ -e ^DATABASE_URL)"`,
  );
  expect(await ask({ credHelpers: { 'registry.example': 'nosy' } }, APP)).toBe('env:0');
});

test('one that knows nothing is as good as none', async () => {
  helper('empty', 'echo "credentials not found in native keychain"; exit 1');
  expect(await ask({ credHelpers: { 'registry.example': 'empty' } }, APP)).toBeNull();
});

test.each([
  ['missing', null, 'it is not installed on the worker'],
  ['locked', 'echo "the keychain is locked"; exit 1', 'the keychain is locked'],
  ['silent', 'exit 3', 'it ended with status 3'],
  ['babbling', 'echo hello', 'its answer has no Username and Secret'],
  ['tokens', `echo '{"Username":"<token>","Secret":"x"}'`, 'identity tokens are not supported'],
  ['../up', null, 'this is not the name of a program'],
])('one that fails is named: %s', async (name, script, problem) => {
  if (script !== null) helper(name, script);
  await expect(ask({ credHelpers: { 'registry.example': name } }, APP)).rejects.toThrow(
    `docker-credential-${name} gives no credentials for registry.example: ${problem}`,
  );
});

test('one that does not end is ended with who waits for it', async () => {
  helper('slow', `exec sleep 600`);
  const file = join(directory, 'slow.json');
  writeFileSync(file, JSON.stringify({ credHelpers: { 'registry.example': 'slow' } }));
  const cancel = new AbortController();
  const asking = credentialsFor(await readImageCredentials(file), APP, cancel.signal);
  cancel.abort(new Error('cancelled by the test'));
  await expect(asking).rejects.toThrow('cancelled by the test');
});
