import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  DEFAULT_REGISTRY,
  inRegistry,
  publicTarballUrl,
  readRegistries,
  upstreamTarball,
} from '../../../src/workers/javascript-packages/registries.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';

/** An environment without anything of this machine. */
function environment(npmrc: string, more: Record<string, string> = {}) {
  const home = temporaryDirectory();
  writeFileSync(join(home, 'user-npmrc'), npmrc);
  return {
    HOME: home,
    PATH: home,
    NPM_CONFIG_USERCONFIG: join(home, 'user-npmrc'),
    NPM_CONFIG_GLOBALCONFIG: join(home, 'none'),
    ...more,
  };
}

test("without any configuration it is npm's own default", async () => {
  const registries = await readRegistries({ npmRegistry: null }, environment(''));
  expect(registries.upstream).toBe(DEFAULT_REGISTRY);
  expect(registries.scopes.size).toBe(0);
  expect(registries.headersFor(`${DEFAULT_REGISTRY}a`)).toEqual({});
});

test('the user file, then the environment, then the setting wins', async () => {
  const npmrc = 'registry=https://user.example/npm\n@corp:registry=https://corp.example/r/\n';
  const user = await readRegistries({ npmRegistry: null }, environment(npmrc));
  expect(user.upstream).toBe('https://user.example/npm/');
  expect([...user.scopes]).toEqual([['@corp', 'https://corp.example/r/']]);
  const variable = environment(npmrc, { npm_config_registry: 'https://variable.example' });
  expect((await readRegistries({ npmRegistry: null }, variable)).upstream).toBe('https://variable.example/');
  const setting = await readRegistries({ npmRegistry: 'https://setting.example/x' }, variable);
  expect(setting.upstream).toBe('https://setting.example/x/');
});

test('the global file beside the npm on PATH counts, a project file does not', async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'bin/npm'), '');
  writeFileSync(join(root, 'etc/npmrc'), 'registry=https://global.example/\n');
  const { NPM_CONFIG_GLOBALCONFIG: _, ...rest } = environment('', { PATH: join(root, 'bin') });
  expect((await readRegistries({ npmRegistry: null }, rest)).upstream).toBe('https://global.example/');
});

test('credentials belong to their host and path', async () => {
  const basic = Buffer.from('me:secret').toString('base64');
  const npmrc = [
    '//token.example/npm/:_authToken=t0ken',
    `//basic.example/:_auth=${basic}`,
    '//user.example:8443/:username=me',
    `//user.example:8443/:_password=${Buffer.from('secret').toString('base64')}`,
    '//variable.example/:_authToken=$' + '{MY_TOKEN}',
  ].join('\n');
  const env = environment(npmrc, { MY_TOKEN: 'from-variable' });
  const { headersFor } = await readRegistries({ npmRegistry: null }, env);
  expect(headersFor('https://token.example/npm/a/-/a-1.0.0.tgz')).toEqual({ authorization: 'Bearer t0ken' });
  expect(headersFor('https://token.example/other/a.tgz')).toEqual({});
  expect(headersFor('https://token.example.evil.example/npm/a.tgz')).toEqual({});
  expect(headersFor('https://basic.example/a/-/a.tgz')).toEqual({ authorization: `Basic ${basic}` });
  expect(headersFor('https://user.example:8443/a.tgz')).toEqual({ authorization: `Basic ${basic}` });
  expect(headersFor('https://user.example/a.tgz')).toEqual({});
  expect(headersFor('https://variable.example/a.tgz')).toEqual({ authorization: 'Bearer from-variable' });
});

test('credentials in the setting go into a header, never into a URL', async () => {
  const { upstream, headersFor } = await readRegistries(
    { npmRegistry: 'https://me:secret@mirror.example/npm' },
    environment(''),
  );
  expect(upstream).toBe('https://mirror.example/npm/');
  expect(headersFor(`${upstream}a`)).toEqual({
    authorization: `Basic ${Buffer.from('me:secret').toString('base64')}`,
  });
  expect(headersFor('https://elsewhere.example/a')).toEqual({});
});

test('a broken configuration file is the same as none', async () => {
  const registries = await readRegistries({ npmRegistry: null }, environment('[[[\nregistry=not a url\n'));
  expect(registries.upstream).toBe(DEFAULT_REGISTRY);
});

test('tarball URLs', async () => {
  const registries = await readRegistries(
    { npmRegistry: null },
    environment('registry=https://mirror.example/npm/\n@corp:registry=https://corp.example/\n'),
  );
  const upstream = (name: string, version: string, source: string | null, native = true) =>
    upstreamTarball(registries, name, version, source, native).url;
  expect(publicTarballUrl('@s/a', '1.0.0')).toBe(`${DEFAULT_REGISTRY}@s/a/-/a-1.0.0.tgz`);
  expect(upstream('a', '1.0.0+build', null)).toBe('https://mirror.example/npm/a/-/a-1.0.0.tgz');
  expect(upstream('a', '1.0.0', `${DEFAULT_REGISTRY}a/-/a-1.0.0.tgz`)).toBe(
    'https://mirror.example/npm/a/-/a-1.0.0.tgz',
  );
  const old = (fileName: string) => upstream('a', '1.0.2-beta', `${DEFAULT_REGISTRY}a/-/${fileName}`);
  expect(old('a-1.0.2beta.tgz')).toBe('https://mirror.example/npm/a/-/a-1.0.2beta.tgz');
  expect(old('a-1.0.3.tgz')).toBe('https://mirror.example/npm/a/-/a-1.0.2-beta.tgz');
  expect(old('b-1.0.2beta.tgz')).toBe('https://mirror.example/npm/a/-/a-1.0.2-beta.tgz');
  expect(upstream('@corp/a', '1.0.0', null)).toBe('https://corp.example/@corp/a/-/a-1.0.0.tgz');
  expect(upstream('@corp/a', '1.0.0', 'https://corp.example/download/1')).toBe(
    'https://corp.example/download/1',
  );
  expect(upstream('@corp/a', '1.0.0', null, false)).toBe('https://mirror.example/npm/@corp/a/-/a-1.0.0.tgz');
  expect(inRegistry(registries, 'a', new URL('https://mirror.example/npm/a.tgz'))).toBe(true);
  expect(inRegistry(registries, 'a', new URL('https://mirror.example/other/a.tgz'))).toBe(false);
  expect(inRegistry(registries, '@corp/a', new URL('https://mirror.example/npm/a.tgz'))).toBe(false);
});
