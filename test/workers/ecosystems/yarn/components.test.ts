import { afterAll, beforeAll, expect, test } from 'vitest';
import { yarn } from '../../../../src/workers/ecosystems/yarn/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { type NpmRegistry, startNpmRegistry } from '../../../support/npm-registry.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

const COMMIT = 'ab'.repeat(20);
const GIT = `git+https://git.example/ns/g.git#${COMMIT}`;
const VCS = `vcs_url=${encodeURIComponent(`git+https://git.example/team/project.git@${'c'.repeat(40)}`)}`;

let registry: NpmRegistry;
let files: NpmRegistry;
beforeAll(async () => {
  registry = await startNpmRegistry([
    { name: 'a', version: '1.0.0' },
    { name: '@S/b', version: '2.0.0' },
    { name: 'd', version: '3.0.0' },
  ]);
  files = await startNpmRegistry([{ name: 'u', version: '1.5.0', manifest: { license: 'ISC' } }]);
});
afterAll(async () => {
  await registry.close();
  await files.close();
});

test('one row for each package, with purl, digests, place and what it needs', async () => {
  const url = `${files.url}${files.find('u').path}`;
  const registered = (key: string, name: string, needs = '') => {
    const { version, path, sha1, integrity } = registry.find(name);
    const source = `https://registry.yarnpkg.com/${path}#${sha1}`;
    return `"${key}":\n  version "${version}"\n  resolved "${source}"\n  integrity ${integrity}\n${needs}\n`;
  };
  const { context } = resolveContext({
    source: memorySourceTree({
      'web/package.json': JSON.stringify({
        name: 'App',
        version: '1.0.0',
        license: 'MIT',
        workspaces: ['w'],
        dependencies: { a: '^1', alias: 'npm:@S/b@^2' },
        devDependencies: { d: '*' },
      }),
      'web/w/package.json': JSON.stringify({
        name: 'w',
        version: '0.1.0',
        dependencies: { g: GIT, a: '1.0.0' },
      }),
      'web/yarn.lock': [
        registered('a@^1", "a@1.0.0', 'a', '  dependencies:\n    alias "npm:@S/b@^2"\n    overruled "^9"\n'),
        registered('alias@npm:@S/b@^2', '@S/b', '  optionalDependencies:\n    a "^1"\n'),
        registered('d@*', 'd', '  dependencies:\n    d "*"\n    absent "*"\n'),
        `"g@${GIT}":\n  version "4.0.0"\n  resolved "${GIT}"\n`,
        `"overruled@${url}":\n  version "1.5.0"\n  resolved "${url}#${files.find('u').sha1}"\n`,
      ].join('\n'),
    }),
    packages: [{ path: 'web' }],
    settings: { npmRegistry: registry.url.slice(0, -1) },
    trees: {
      [`https://git.example/ns/g.git#${COMMIT}`]: memorySourceTree({
        'package.json': JSON.stringify({ name: 'g', version: '4.0.0', license: 'BSD-2-Clause' }),
      }),
    },
  });
  const { components, files: bundled } = await yarn.resolve(context);
  const fileOf = (path: string) => bundled.find((file) => file.path === path)!.digest.slice('sha256:'.length);
  const { sha256, sha512 } = registry.find('a');
  const b = registry.find('@S/b');
  const d = registry.find('d');
  const u = files.find('u');
  const purls = {
    app: `pkg:npm/app@1.0.0?${VCS}#web`,
    w: `pkg:npm/w@0.1.0?${VCS}#web/w`,
    a: 'pkg:npm/a@1.0.0',
    b: 'pkg:npm/%40s/b@2.0.0',
    d: 'pkg:npm/d@3.0.0',
    g: `pkg:npm/g@4.0.0?vcs_url=${encodeURIComponent(`git+https://git.example/ns/g.git@${COMMIT}`)}`,
    overruled: `pkg:npm/overruled@1.5.0?checksum=sha1%3A${u.sha1}&download_url=${encodeURIComponent(url)}`,
  };
  const common = { type: 'library', isSourcePackage: false, properties: {}, dependsOn: [] };
  const row = (purl: string, more: object) => ({ ...common, ref: purl, purl, ...more });
  const gitPath = `deps/yarn/external-g/g-4.0.0-external-gitcommit-${COMMIT}.tgz`;
  const registryUrl = (path: string) => `https://registry.yarnpkg.com/${path}`;
  expect(components).toEqual(
    [
      row(purls.app, {
        name: 'App',
        version: '1.0.0',
        license: 'MIT',
        isSourcePackage: true,
        hashes: {},
        bundlePaths: [],
        dependsOn: [purls.a, purls.b, purls.d, purls.w].sort(),
      }),
      row(purls.w, {
        name: 'w',
        version: '0.1.0',
        hashes: {},
        bundlePaths: [],
        dependsOn: [purls.a, purls.g].sort(),
      }),
      row(purls.a, {
        name: 'a',
        version: '1.0.0',
        hashes: { sha256, sha512 },
        distributionUrl: registryUrl('a/-/a-1.0.0.tgz'),
        bundlePaths: ['deps/yarn/a/a-1.0.0.tgz'],
        dependsOn: [purls.b, purls.overruled].sort(),
      }),
      row(purls.b, {
        name: '@S/b',
        version: '2.0.0',
        hashes: { sha256: b.sha256, sha512: b.sha512 },
        distributionUrl: registryUrl('@S/b/-/b-2.0.0.tgz'),
        bundlePaths: ['deps/yarn/@S/b/S-b-2.0.0.tgz'],
        dependsOn: [purls.a],
      }),
      row(purls.d, {
        name: 'd',
        version: '3.0.0',
        hashes: { sha256: d.sha256, sha512: d.sha512 },
        distributionUrl: registryUrl('d/-/d-3.0.0.tgz'),
        bundlePaths: ['deps/yarn/d/d-3.0.0.tgz'],
        properties: { 'cdx:npm:package:development': 'true' },
      }),
      row(purls.g, {
        name: 'g',
        version: '4.0.0',
        license: 'BSD-2-Clause',
        hashes: { sha256: fileOf(gitPath) },
        bundlePaths: [gitPath],
      }),
      row(purls.overruled, {
        name: 'overruled',
        version: '1.5.0',
        license: 'ISC',
        hashes: { sha1: u.sha1, sha256: u.sha256 },
        distributionUrl: url,
        bundlePaths: [`deps/yarn/external-overruled/overruled-1.5.0-external-sha1-${u.sha1}.tgz`],
      }),
    ].sort((one, other) => (one.ref < other.ref ? -1 : 1)),
  );
});
