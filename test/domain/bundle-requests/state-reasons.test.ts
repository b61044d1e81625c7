import { expect, test } from 'vitest';
import type { BundleRequest, BundleRequestStep } from '../../../src/domain/bundle-requests/bundle-request.ts';
import { dueReasons } from '../../../src/domain/bundle-requests/state-reasons.ts';
import { PACKAGE_MANAGERS, type PackageManager } from '../../../src/domain/packages/package.ts';

const request = { packages: { npm: [{ path: 'a' }, { path: 'b' }] } } as unknown as BundleRequest;

function step(packageManager: PackageManager, more: Partial<BundleRequestStep> = {}): BundleRequestStep {
  return { packageManager, state: 'succeeded', isIdle: false, ...more } as BundleRequestStep;
}

const GOMOD = ['Fetching the gomod dependencies at the "." directory'];
const NPM = [
  'Configuring Nexus for npm',
  'Fetching the npm dependencies at the "a" directory"',
  'Fetching the npm dependencies at the "b" directory"',
];
const NPM_END = ['Finalizing the Nexus configuration for npm'];

test('all package managers, in the order of the contract whatever the order of their steps', () => {
  const steps = PACKAGE_MANAGERS.map((manager) => step(manager)).reverse();
  expect(dueReasons(request, steps)).toEqual([
    ...GOMOD,
    ...NPM,
    ...NPM_END,
    'Configuring Nexus for pip',
    "Fetching dependencies at the '.' directory",
    'Finalizing the Nexus configuration for pip',
    'Configuring Nexus for RubyGems',
    "Fetching dependencies at the '.' directory",
    'Finalizing the Nexus configuration for RubyGems',
    'Configuring Nexus for yarn',
    'Fetching the yarn dependencies at the "." directory',
    'Finalizing the Nexus configuration for yarn',
  ]);
});

test.each<[string, BundleRequestStep[], string[]]>([
  ['nothing before it starts', [step('gomod', { state: 'queued' }), step('npm')], []],
  ['nothing of the next one before it ends', [step('gomod', { state: 'running' }), step('npm')], GOMOD],
  ['the start, while it runs', [step('gomod'), step('npm', { state: 'running' })], [...GOMOD, ...NPM]],
  [
    'nothing of one that has nothing to do',
    [step('gomod', { isIdle: true }), step('npm')],
    [...NPM, ...NPM_END],
  ],
  [
    'and nobody waits for that one',
    [step('gomod', { isIdle: true, state: 'queued' }), step('npm', { state: 'running' })],
    NPM,
  ],
])('%s', (_, steps, expected) => {
  expect(dueReasons(request, steps)).toEqual(expected);
});
