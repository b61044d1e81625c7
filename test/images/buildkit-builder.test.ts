import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import { BuildkitBuilder } from '../../src/workers/builders/buildkit-builder.ts';
import { BUSYBOX, BuildStack, canBuild } from '../support/build-stack.ts';

const ENGINE = '/usr/sbin/dockerd';

function hasEngine(): boolean {
  if (!canBuild()) return false;
  if (existsSync(ENGINE)) return true;
  console.warn('skipped: docker.io is not installed');
  return false;
}

describe.runIf(hasEngine())('BuildkitBuilder', { timeout: 120_000 }, () => {
  let stack: BuildStack;
  let engine: ChildProcess;
  let directory: string;
  let builder: BuildkitBuilder;
  const path = process.env.PATH;

  beforeAll(async () => {
    // The client of the same package: newer ones need another program for BuildKit.
    process.env.PATH = `/usr/bin:${path}`;
    directory = mkdtempSync(join(tmpdir(), 'stowage-engine-'));
    const socket = join(directory, 'docker.sock');
    engine = spawn(
      ENGINE,
      [
        ...['--data-root', join(directory, 'lib'), '--exec-root', join(directory, 'exec')],
        ...['-H', `unix://${socket}`, '--pidfile', join(directory, 'pid')],
        ...['--bridge', 'none', '--iptables=false'],
      ],
      { stdio: 'ignore' },
    );
    await vi.waitUntil(() => answers(socket), { timeout: 30_000 });
    builder = new BuildkitBuilder(
      readSettings({ STOWAGE_BUILDKIT_HOST: `unix://${socket}`, STOWAGE_DATA_DIR: directory }),
    );
    stack = await BuildStack.start();
  }, 60_000);

  afterAll(async () => {
    process.env.PATH = path;
    if (engine) {
      const ended = once(engine, 'exit');
      engine.kill('SIGTERM');
      await ended;
    }
    await stack?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('builds an image that the registry serves, from a base in it', async () => {
    const base = await builder.build(
      stack.input(
        { Dockerfile: `${BUSYBOX}\nENV GREETING=hi` },
        { isHermetic: true, destination: { ...stack.input({}).destination, path: 'apps/images/base' } },
      ),
    );
    const input = stack.input(
      {
        Dockerfile:
          'FROM apps/images/base\nRUN --mount=type=secret,id=s echo "$GREETING $(cat /run/secrets/s)"',
      },
      { isHermetic: true, secrets: { s: 'from a secret' } },
    );
    const built = await builder.build(input);
    expect(input.lines.join('\n')).toContain('hi from a secret');
    expect(built.baseImages).toEqual([{ name: 'apps/images/base', digest: base.digest }]);
    const manifest = await stack.registry.call('HEAD', '/v2/apps/images/app/manifests/latest', {
      headers: { accept: built.mediaType },
    });
    expect(manifest.headers.get('docker-content-digest')).toBe(built.digest);
    expect(built.builder).toEqual({ name: 'buildkit', version: expect.stringMatching(/^\d+\./) });
  });

  it.each([
    [
      'a step that fails',
      { Dockerfile: `${BUSYBOX}\nRUN exit 7` },
      { code: 'step-failed', details: { line: 4, exitStatus: 7 } },
    ],
    [
      'an unknown base',
      { Dockerfile: 'FROM apps/images/unknown' },
      { code: 'base-image-not-found', details: { line: 1 } },
    ],
    [
      'an unknown instruction',
      { Dockerfile: 'FROM scratch\nFOO' },
      { code: 'dockerfile-invalid', details: { line: 2 } },
    ],
  ])('refuses %s', async (_, files, expected) => {
    await expect(builder.build(stack.input(files, { isHermetic: true }))).rejects.toMatchObject(expected);
  });

  it('ends with a cancel', async () => {
    const cancel = new AbortController();
    const input = stack.input(
      { Dockerfile: `${BUSYBOX}\nRUN echo begun; sleep 601` },
      { isHermetic: true, signal: cancel.signal },
    );
    input.onLine = (line) => {
      if (/ begun$/.test(line)) cancel.abort(new Error('cancelled by the test'));
      return null;
    };
    await expect(builder.build(input)).rejects.toThrow('cancelled by the test');
    await vi.waitUntil(() => !isRunning('sleep\x301\0'), { timeout: 2000 });
  });

  it('says when there is no engine', async () => {
    const settings = readSettings({
      STOWAGE_BUILDKIT_HOST: `unix://${directory}/none`,
      STOWAGE_DATA_DIR: directory,
    });
    const building = new BuildkitBuilder(settings).build(stack.input({ Dockerfile: 'FROM scratch' }));
    await expect(building).rejects.toMatchObject({ code: 'builder-unavailable' });
  });
});

async function answers(socket: string): Promise<boolean> {
  const connection = createConnection(socket);
  return await once(connection, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => connection.destroy());
}

function isRunning(commandLine: string): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === commandLine;
      } catch {
        return false;
      }
    });
}
