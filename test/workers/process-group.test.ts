import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { startProcessGroup } from '../../src/workers/process-group.ts';

function start(script: string, options: { signal?: AbortSignal; seconds?: number } = {}) {
  return startProcessGroup('sh', ['-c', script], {
    workingDirectory: '/',
    environment: { PATH: process.env.PATH!, WORD: 'known' },
    signal: options.signal ?? new AbortController().signal,
    seconds: options.seconds ?? 60,
  });
}

/** The first line of the output: both processes are there then. */
async function firstLine(stdout: AsyncIterable<unknown>): Promise<string> {
  for await (const chunk of stdout) return String(chunk).trim();
  return '';
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const TWO = 'sleep 1000 & echo $!; wait';

describe('a process group', () => {
  test('takes input, gives output and messages, and knows nothing of the worker', async () => {
    const group = start('read line; echo "$line $WORD $HOME"; echo message >&2; exit 3');
    group.stdin.end('input\n');
    expect(await text(group.stdout)).toBe('input known \n');
    expect(await group.ended).toEqual({ exitCode: 3, stderr: 'message\n', timedOut: false });
  });

  test('of its messages the end is kept', async () => {
    const group = start('i=0; while [ $i -lt 20000 ]; do echo line >&2; i=$((i+1)); done; echo last >&2');
    group.stdout.resume();
    const { stderr } = await group.ended;
    expect(stderr).toHaveLength(64 * 1024);
    expect(stderr).toMatch(/\nlast\n$/);
  });

  test('input that nobody reads is no error', async () => {
    const group = start('exit 0');
    group.stdout.resume();
    group.stdin.end(Buffer.alloc(1024 * 1024));
    expect(await group.ended).toMatchObject({ exitCode: 0 });
  });

  test.each(['stop', 'abort', 'time limit'])('ends as a whole: %s', async (how) => {
    const controller = new AbortController();
    const group = start(TWO, { signal: controller.signal, seconds: how === 'time limit' ? 0.5 : 60 });
    const pid = Number(await firstLine(group.stdout));
    expect(pid).toBeGreaterThan(0);
    if (how === 'stop') group.stop();
    if (how === 'abort') {
      controller.abort(new Error('cancelled'));
      await expect(group.ended).rejects.toThrow('cancelled');
    } else expect(await group.ended).toMatchObject({ exitCode: null, timedOut: how === 'time limit' });
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('is killed when it does not listen', async () => {
    const group = start(`trap '' TERM; ${TWO}; while :; do sleep 1000; done`);
    const pid = Number(await firstLine(group.stdout));
    group.stop();
    expect(await group.ended).toMatchObject({ exitCode: null });
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('is not started after the abort, nor when there is no such command', async () => {
    expect(() => start('exit 0', { signal: AbortSignal.abort(new Error('cancelled')) })).toThrow('cancelled');
    const { ended } = startProcessGroup('stowage-has-no-such-command', [], {
      workingDirectory: '/',
      environment: {},
      signal: new AbortController().signal,
      seconds: 1,
    });
    await expect(ended).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
