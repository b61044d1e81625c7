import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { ownEnvironment } from '../support/stowage-command.ts';

const SERVICE = new URL('../../src/cli/service.ts', import.meta.url).href;

/** Runs a service that ends in the given way; how its process ends. */
function runService(done: string): { status: number | null; messages: string[] } {
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `setInterval(() => {}, 60_000);
      import { runService } from ${JSON.stringify(SERVICE)};
      await runService('worker', async () => ({ url: null, stop: async () => {}, done: ${done} }));`,
    ],
    // Nothing interrupts the test while it waits.
    { encoding: 'utf8', env: ownEnvironment(), timeout: 30_000, killSignal: 'SIGKILL' },
  );
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  return { status, messages: lines.map((line) => JSON.parse(line).msg) };
}

test('a service that ends by itself has failed: who supervises it starts another', () => {
  expect(runService('Promise.resolve()')).toEqual({
    status: 1,
    messages: ['the service ended by itself', 'stopping', 'stopped'],
  });
});

test('a service that is told to end has not', () => {
  const told = `new Promise(() => setImmediate(() => process.kill(process.pid, 'SIGTERM')))`;
  expect(runService(told)).toEqual({ status: 0, messages: ['stopping', 'stopped'] });
});
