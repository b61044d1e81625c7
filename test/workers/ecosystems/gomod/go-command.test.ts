import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runGo } from '../../../../src/workers/ecosystems/gomod/go-command.ts';
import { readGoConfiguration } from '../../../../src/workers/ecosystems/gomod/go-configuration.ts';
import { temporaryDirectory } from '../../../support/resolve-context.ts';

/** A `go` that is a shell script, to see what a command that misbehaves does. */
function fakeGo(script: string): { directory: string; PATH: string } {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'go'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(directory, 'go'), 0o755);
  return { directory, PATH: `${directory}:${process.env.PATH}` };
}

function run(script: string, options: { signal?: AbortSignal; seconds?: number } = {}) {
  const { directory, PATH } = fakeGo(script);
  const documents: unknown[] = [];
  const done = runGo({
    args: ['list', '-json'],
    directory,
    environment: { PATH },
    signal: options.signal ?? new AbortController().signal,
    seconds: options.seconds ?? 60,
    onDocument: (document) => documents.push(document),
  });
  return { directory, documents, done };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for is as good as gone.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a go command', () => {
  test('documents one after another', async () => {
    const { documents, done } = run(
      `printf '{\\n\\t"A": 1\\n}\\n{\\n\\t"B": {\\n\\t\\t"C": "}"\\n\\t}\\n}\\n'`,
    );
    await done;
    expect(documents).toEqual([{ A: 1 }, { B: { C: '}' } }]);
  });

  test('a failure names command and code, its messages are the hint, without secrets', async () => {
    const { done } = run('echo "go: https://user:secret@git.example/x: broken" >&2; exit 3');
    await expect(done).rejects.toMatchObject({
      name: 'GoModError',
      code: 'package-manager-failed',
      origin: 'server',
      message: 'Go execution failed: `go list -json` failed with rc=3',
      hint: expect.not.stringContaining('secret'),
    });
  });

  test('its environment is what was given', async () => {
    const { directory, PATH } = fakeGo('env > seen');
    const signal = new AbortController().signal;
    await runGo({ args: [], directory, environment: { PATH, GOFLAGS: '-x' }, signal, seconds: 60 });
    const names = readFileSync(join(directory, 'seen'), 'utf8').match(/^\w+(?==)/gm)!;
    expect(names.filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name)).sort()).toEqual([
      'GOFLAGS',
      'PATH',
    ]);
  });

  test('cancelled, it ends with all its children', async () => {
    const controller = new AbortController();
    const { directory, done } = run('sleep 1000 & echo $! > child; mv child pid; wait', {
      signal: controller.signal,
    });
    await until(() => existsSync(join(directory, 'pid')));
    const child = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    expect(isAlive(child)).toBe(true);
    controller.abort(new Error('cancelled'));
    await expect(done).rejects.toThrow('cancelled');
    await until(() => !isAlive(child));
  });

  test('it may not take longer than its time', async () => {
    await expect(run('sleep 1000', { seconds: 0.1 }).done).rejects.toMatchObject({
      hint: 'it took too long',
    });
  });

  test('nothing starts after a cancel', async () => {
    const { done, directory } = run('touch started', { signal: AbortSignal.abort(new Error('cancelled')) });
    await expect(done).rejects.toThrow('cancelled');
    expect(existsSync(join(directory, 'started'))).toBe(false);
  });
});

describe('the configuration of go on the machine', () => {
  const settings = { goproxy: null, gosumdb: null, goPrivate: null, goToolchainDownloads: true };

  test('no go at all', async () => {
    await expect(readGoConfiguration(settings, { PATH: temporaryDirectory() })).rejects.toMatchObject({
      name: 'SubprocessCallError',
      code: 'executable-missing',
      message: 'The go command could not be run',
    });
  });

  test("go's own configuration, and settings before it", async () => {
    const home = temporaryDirectory();
    const environment = {
      PATH: process.env.PATH,
      HOME: home,
      GOPROXY: 'https://proxy.example',
      GOSUMDB: 'off',
      GOPRIVATE: 'corp.example',
      GOTOOLCHAIN: 'auto',
    };
    expect(await readGoConfiguration(settings, environment)).toEqual({
      version: expect.stringMatching(/^1\.\d+(\.\d+)?$/),
      goproxy: 'https://proxy.example',
      proxyFromSettings: false,
      gosumdb: 'off',
      goprivate: 'corp.example',
      gonoproxy: 'corp.example',
      gonosumdb: 'corp.example',
      goinsecure: '',
      toolchainDownloads: true,
    });
    const own = { goproxy: 'https://own.example', gosumdb: 'sum.example', goPrivate: 'x.example' };
    expect(
      await readGoConfiguration({ ...settings, ...own }, { ...environment, GOTOOLCHAIN: 'local' }),
    ).toMatchObject({
      goproxy: 'https://own.example',
      proxyFromSettings: true,
      gosumdb: 'sum.example',
      goprivate: 'x.example',
      gonoproxy: 'x.example',
      toolchainDownloads: false,
    });
  });
});
