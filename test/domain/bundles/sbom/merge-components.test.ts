import { describe, expect, test } from 'vitest';
import { mergeComponents } from '../../../../src/domain/bundles/sbom/merge-components.ts';
import type { SbomComponent } from '../../../../src/domain/bundles/sbom-component.ts';
import { component } from '../../../support/sbom-subject.ts';

const A = 'pkg:npm/a@1';
const merged = (...overrides: Partial<SbomComponent>[]): SbomComponent[] =>
  mergeComponents(overrides.map((one) => [component({ purl: A, ...one })]));

describe('rows with the same purl', () => {
  const development = 'cdx:npm:package:development';
  const bundled = 'cdx:npm:package:bundled';
  const build = 'stowage:pip:package:build-dependency';
  const binary = 'stowage:pip:package:binary';
  const missing = 'stowage:missing_hash:in_file';

  test.each<[what: string, Record<string, string>, Record<string, string>, Record<string, string>]>([
    ['development in both', { [development]: 'true' }, { [development]: 'true' }, { [development]: 'true' }],
    ['development in one', { [development]: 'true' }, {}, {}],
    ['bundled in one', {}, { [bundled]: 'true' }, {}],
    ['for building in one', { [build]: 'true' }, {}, {}],
    ['binary in one', {}, { [binary]: 'true' }, { [binary]: 'true' }],
    ['no hash in two files', { [missing]: 'b,c' }, { [missing]: 'a,b' }, { [missing]: 'a,b,c' }],
    ['no hash in one file', { [missing]: 'b' }, {}, { [missing]: 'b' }],
    ['other texts: the first one', { x: '1' }, { x: '2' }, { x: '1' }],
  ])('%s', (_what, first, second, expected) => {
    expect(merged({ properties: first }, { properties: second })).toMatchObject([{ properties: expected }]);
  });

  test('become one with everything that is known of it', () => {
    expect(
      merged(
        { hashes: { sha256: 'x' }, bundlePaths: ['b'], dependsOn: null, license: 'MIT' },
        {
          hashes: { sha256: 'x', sha512: 'y' },
          bundlePaths: ['a', 'b'],
          dependsOn: ['c', 'b'],
          distributionUrl: 'u',
          license: 'ISC',
          isSourcePackage: true,
        },
      ),
    ).toEqual([
      component({
        purl: A,
        hashes: { sha256: 'x', sha512: 'y' },
        bundlePaths: ['a', 'b'],
        dependsOn: ['b', 'c'],
        distributionUrl: 'u',
        license: 'MIT',
        isSourcePackage: true,
      }),
    ]);
  });

  test('stay apart when their bytes differ, each with its own dependents', () => {
    const resolution = (sha256: string, app: string): SbomComponent[] => [
      component({ purl: app, dependsOn: [A] }),
      component({ purl: A, hashes: { sha256 } }),
    ];
    const rows = mergeComponents([
      resolution('1', 'pkg:npm/x'),
      resolution('2', 'pkg:npm/y'),
      resolution('1', 'pkg:npm/z'),
    ]);
    expect(rows.map(({ ref, purl, dependsOn, hashes }) => ({ ref, purl, dependsOn, hashes }))).toEqual([
      { ref: A, purl: A, dependsOn: null, hashes: { sha256: '1' } },
      { ref: `${A}#2`, purl: A, dependsOn: null, hashes: { sha256: '2' } },
      { ref: 'pkg:npm/x', purl: 'pkg:npm/x', dependsOn: [A], hashes: {} },
      { ref: 'pkg:npm/y', purl: 'pkg:npm/y', dependsOn: [`${A}#2`], hashes: {} },
      { ref: 'pkg:npm/z', purl: 'pkg:npm/z', dependsOn: [A], hashes: {} },
    ]);
  });

  test('that one resolution keeps apart already stay as they are', () => {
    const rows = [
      component({ purl: A, hashes: { sha256: '1' } }),
      component({ purl: A, ref: `${A}#2`, hashes: { sha256: '2' } }),
      component({ purl: 'pkg:npm/x', dependsOn: [`${A}#2`] }),
    ];
    expect(mergeComponents([rows])).toEqual(rows);
    expect(mergeComponents([rows, rows])).toEqual(rows);
  });

  test('are the same when one of them was not fetched', () => {
    expect(merged({}, { hashes: { sha256: '1' } }, {})).toMatchObject([{ ref: A, hashes: { sha256: '1' } }]);
  });
});

test('rows come sorted by ref, whoever was first', () => {
  const rows = ['pkg:npm/b', 'pkg:npm/B', 'pkg:npm/a'].map((purl) => component({ purl }));
  expect(mergeComponents([rows]).map(({ ref }) => ref)).toEqual(['pkg:npm/B', 'pkg:npm/a', 'pkg:npm/b']);
  expect(mergeComponents([[rows[2]!], [rows[0]!], [rows[1]!]])).toEqual(mergeComponents([rows]));
});
