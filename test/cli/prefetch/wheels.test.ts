import { expect, test } from 'vitest';
import { submissionOf } from '../../../src/cli/prefetch/options.ts';

const binary = (wheels: string) =>
  submissionOf({ sbomFormat: 'cyclonedx-1.6', pip: ['.'], wheels }).packages![0]!.binary;

test.each([
  [':all:', { packages: ':all:' }],
  ['numpy, scipy', { packages: 'numpy, scipy' }],
  [
    'packages=numpy; arch=x86_64,aarch64;py_version=3.12;py_impl=cp;abi=cp312;os=linux',
    {
      packages: 'numpy',
      arch: 'x86_64,aarch64',
      pyVersion: '3.12',
      pyImpl: 'cp',
      abi: 'cp312',
      os: 'linux',
    },
  ],
  ['platform=^(a=b)', { platform: '^(a=b)' }],
])('%s', (text, expected) => {
  expect(binary(text)).toEqual(expected);
});

test.each(['machine=arm', 'arch=x;linux', '__proto__=x'])('%s is refused', (text) => {
  expect(() => binary(text)).toThrow(
    'is no field of --wheels; there are packages, arch, os, py_version, py_impl, abi, platform',
  );
});

test('belongs to a Python package', () => {
  expect(() => submissionOf({ sbomFormat: 'cyclonedx-1.6', wheels: ':all:' })).toThrow(
    '--wheels belongs to a --pip PATH',
  );
});
