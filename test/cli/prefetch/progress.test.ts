import { expect, test } from 'vitest';
import type { RequestEvent } from '../../../src/cli/client/bundle-requests.ts';
import { PrefetchProgress, planLines } from '../../../src/cli/prefetch/progress.ts';

let now = 0;
function progressOf(...events: [number, RequestEvent['type'], object][]): PrefetchProgress {
  now = 0;
  const progress = new PrefetchProgress(() => now);
  events.forEach(([at, type, data], index) => {
    now = at;
    progress.apply({ version: index + 1, at: '', type, data: data as RequestEvent['data'] });
  });
  return progress;
}

const npm = { stepId: 2, task: 'resolve-packages', packageManager: 'npm' };

test('a running step shows counters against what is expected, rate and time', () => {
  const progress = progressOf(
    [0, 'step', { ...npm, state: 'running', attempt: 1 }],
    [
      1000,
      'progress',
      { ...npm, packages: 10, files: 8, bytes: 1_000_000, expectedPackages: 356, expectedFiles: 1400 },
    ],
    [
      3000,
      'progress',
      { ...npm, packages: 120, files: 98, bytes: 13_000_000, expectedPackages: 356, expectedFiles: 1400 },
    ],
  );
  expect(progress.steps.map((step) => progress.line(step))).toEqual([
    'npm  running  120/356 packages, 98/1,400 files, 13.0 MB at 6.0 MB/s  3.0 s',
  ]);
});

test('a finished step keeps its counters and its time', () => {
  const progress = progressOf(
    [0, 'step', { stepId: 1, task: 'fetch-source', packageManager: null, state: 'running', attempt: 1 }],
    [
      400,
      'progress',
      { stepId: 1, task: 'fetch-source', packageManager: null, files: 1, cachedFiles: 1, bytes: 10 },
    ],
    [500, 'step', { stepId: 1, task: 'fetch-source', packageManager: null, state: 'succeeded', attempt: 1 }],
    [9000, 'source', { commit: 'c'.repeat(40), files: 1, size: 10 }],
  );
  expect(progress.steps.map((step) => progress.line(step))).toEqual([
    'source  done  1 file, 1 from the store, 10 B  0.5 s',
  ]);
  expect(progress.commit).toBe('c'.repeat(40));
});

test('a step that starts again counts from the beginning', () => {
  const progress = progressOf(
    [0, 'step', { ...npm, state: 'running', attempt: 1 }],
    [10, 'progress', { ...npm, files: 8, bytes: 8000 }],
    [20, 'step', { ...npm, state: 'queued', attempt: 1 }],
    [30, 'step', { ...npm, state: 'running', attempt: 2 }],
  );
  expect(progress.steps.map((step) => progress.line(step))).toEqual(['npm  running  0.0 s']);
});

test('the plan names every package with the files that speak for it', () => {
  expect(
    planLines({
      packages: { npm: [{ path: '.' }, { path: 'web' }], pip: [{ path: 'tools' }] },
      evidence: { npm: ['package-lock.json', 'web/package-lock.json'], pip: ['tools/requirements.txt'] },
    }),
  ).toEqual([
    'npm at . (package-lock.json)',
    'npm at web (web/package-lock.json)',
    'pip at tools (tools/requirements.txt)',
  ]);
});
