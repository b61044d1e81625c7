import { expect, test } from 'vitest';
import { ComponentRows, componentRow } from '../../../../src/domain/bundles/sbom/component-rows.ts';

const A = { purl: 'pkg:npm/a@1', name: 'a', version: '1' };
const B = { purl: 'pkg:npm/b@1', name: 'b', version: '1' };

test('a row of which nothing else is known', () => {
  expect(componentRow(A)).toEqual({
    ...A,
    ref: A.purl,
    type: 'library',
    isSourcePackage: false,
    hashes: {},
    bundlePaths: [],
    properties: {},
    dependsOn: [],
  });
});

test('other bytes under the same purl have a ref of their own, the same bytes have not', () => {
  const rows = new ComponentRows();
  const refs = ['1', '2', '1', '3'].map((sha256) => rows.add(componentRow({ ...A, hashes: { sha256 } })));
  expect(refs).toEqual([A.purl, `${A.purl}#2`, A.purl, `${A.purl}#3`]);
});

test('nothing depends on itself, and each edge is there once, sorted', () => {
  const rows = new ComponentRows();
  const [b, a] = [rows.add(componentRow(B)), rows.add(componentRow(A))];
  rows.connect(a, [b, a, b]);
  rows.connect(a, [b]);
  expect(rows.sorted().map(({ ref, dependsOn }) => [ref, dependsOn])).toEqual([
    [a, [b]],
    [b, []],
  ]);
});

test('an unknown graph stays unknown until somebody knows it', () => {
  const rows = new ComponentRows();
  rows.add(componentRow({ ...A, dependsOn: null }));
  rows.add(componentRow({ ...B, dependsOn: null }));
  rows.add(componentRow(B));
  expect(rows.sorted().map(({ dependsOn }) => dependsOn)).toEqual([null, []]);
});

test('what was added is not changed by what comes later', () => {
  const rows = new ComponentRows();
  const row = componentRow({ ...A, bundlePaths: ['y'] });
  rows.add(row);
  rows.add(componentRow({ ...A, bundlePaths: ['x'], isSourcePackage: true }));
  expect(rows.sorted()).toMatchObject([{ bundlePaths: ['x', 'y'], isSourcePackage: true }]);
  expect(row).toMatchObject({ bundlePaths: ['y'], isSourcePackage: false });
});
