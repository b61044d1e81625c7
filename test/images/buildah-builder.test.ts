import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, BuildStack, canBuild } from '../support/build-stack.ts';

describe.runIf(canBuild())('BuildahBuilder', { timeout: 120_000 }, () => {
  let stack: BuildStack;

  beforeAll(async () => {
    stack = await BuildStack.start();
  });

  afterAll(async () => {
    await stack?.close();
  });

  it('builds an image that the registry serves, and leaves nothing else', async () => {
    const before = stack.mounts();
    const built = await stack.build({
      Dockerfile: `${BUSYBOX}\nCOPY hello.txt /\nRUN cat hello.txt && echo done > /done\nCMD ["/bin/cat", "/done"]`,
      'hello.txt': 'hello from the context\n',
    });
    const manifest = await stack.registry.call('GET', '/v2/apps/images/app/manifests/latest', {
      headers: { accept: built.mediaType },
    });
    expect(manifest.headers.get('docker-content-digest')).toBe(built.digest);
    expect(built).toMatchObject({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      baseImages: [],
      builder: { name: 'buildah', version: expect.stringMatching(/^\d+\.\d+/) },
    });
    const { config, layers } = manifest.json() as { config: { size: number }; layers: { size: number }[] };
    expect(built.size).toBe(layers.reduce((sum, { size }) => sum + size, config.size));
    expect(built.lines).toContain('hello from the context');
    const root = await stack.unpacked('apps/images/app');
    expect(readFileSync(join(root, 'done'), 'utf8')).toBe('done\n');
    expect(lstatSync(join(root, 'done')).mtimeMs).toBe(1_700_000_000_000);
    expect(stack.mounts()).toEqual(before);
  });

  it('gives the same digest each time: with and without layers of before, and elsewhere', async () => {
    const files = {
      Dockerfile: `${BUSYBOX}\nCOPY src /src\nRUN find /src -type f | sort | xargs sha256sum > /sums; mkdir /empty; date > /dev/null\nLABEL a=b`,
      'src/one.txt': 'one',
      'src/deep/two.txt': 'two',
    };
    const first = await stack.build(files, { labels: { team: 'x' } });
    const cached = await stack.build(files, { labels: { team: 'x' } });
    expect(cached.lines.join('\n')).toContain('Using cache');
    const fresh = await stack.build(files, { labels: { team: 'x' }, useCache: false });
    expect(fresh.lines.join('\n')).not.toContain('Using cache');
    const elsewhere = await stack.build(files, { labels: { team: 'x' }, cacheScope: '2' });
    expect([cached.digest, fresh.digest, elsewhere.digest]).toEqual([
      first.digest,
      first.digest,
      first.digest,
    ]);
  });

  it('keeps platforms apart in its cache', async () => {
    const files = { Dockerfile: 'FROM scratch\nCOPY one.txt /', 'one.txt': 'one' };
    const built: string[] = [];
    for (const platform of ['linux/arm64', 'linux/amd64', 'linux/arm/v7', 'linux/arm64']) {
      const { digest, mediaType } = await stack.build(files, { platform });
      const image = await stack.registry.call('GET', `/v2/apps/images/app/manifests/${digest}`, {
        headers: { accept: mediaType },
      });
      const { config } = image.json() as { config: { digest: string } };
      const { architecture, variant } = (
        await stack.registry.call('GET', `/v2/apps/images/app/blobs/${config.digest}`)
      ).json() as { architecture: string; variant?: string };
      built.push(variant === undefined ? architecture : `${architecture}/${variant}`);
    }
    expect(built).toEqual(['arm64', 'amd64', 'arm/v7', 'arm64']);
  });

  it('starts from an image of our own registry, and names it by digest', async () => {
    const base = await stack.build(
      { Dockerfile: `${BUSYBOX}\nENV GREETING=hi` },
      { destination: { ...stack.input({}).destination, path: 'apps/images/base', tag: 'v1' } },
    );
    const built = await stack.build(
      {
        Dockerfile:
          'ARG TAG=none\nFROM apps/images/base:$TAG AS one\nRUN echo $GREETING > /one\nFROM one\nCOPY --from=apps/images/base:v1 /bin/busybox /again\nRUN cat /one',
      },
      { buildArguments: { TAG: 'v1' } },
    );
    expect(built.baseImages).toEqual([{ name: 'apps/images/base:v1', digest: base.digest }]);
    expect(built.lines).toContain('hi');
  });

  it('starts from an image without a history, as put together by hand, in any number of steps', async () => {
    const name = 'apps/images/handmade';
    const made = await stack.build(
      { Dockerfile: BUSYBOX },
      { destination: { ...stack.input({}).destination, path: name, tag: 'made' } },
    );
    const { registry } = stack;
    const read = async (path: string): Promise<Record<string, unknown>> =>
      (await registry.call('GET', `/v2/${name}/${path}`, { headers: { accept: made.mediaType } })).json();
    const manifest = await read(`manifests/${made.digest}`);
    const { history: _, ...config } = await read(`blobs/${(manifest.config as { digest: string }).digest}`);
    const bytes = JSON.stringify(config);
    const digest = await registry.pushBlob(name, bytes, 'admin');
    const bare = JSON.stringify({
      ...manifest,
      config: { ...(manifest.config as object), digest, size: bytes.length },
    });
    await registry.putManifest(name, 'v1', bare, { type: made.mediaType, as: 'admin' });
    const built = await stack.build({
      Dockerfile: `FROM ${name}:v1\nRUN echo one > /one\nRUN echo two > /two\nRUN cat /one /two`,
    });
    expect(built.lines.filter((line) => /^(one|two)$/.test(line))).toEqual(['one', 'two']);
    const root = await stack.unpacked('apps/images/app');
    expect(readFileSync(join(root, 'two'), 'utf8')).toBe('two\n');
  });

  it('mounts directories and sets variables for steps only', async () => {
    const mounted = join(stack.directory, 'mounted');
    mkdirSync(mounted);
    writeFileSync(join(mounted, 'file'), 'mounted content\n');
    const built = await stack.build(
      {
        Dockerfile: `${BUSYBOX}\nRUN cat /stowage/bundle/file; echo "value=$STEP"; touch /stowage/bundle/x || echo read-only; ip addr`,
      },
      {
        isHermetic: true,
        mounts: [{ directory: mounted, path: '/stowage/bundle' }],
        stepEnvironment: { STEP: 'with "quotes" and $dollar' },
      },
    );
    expect(built.lines).toContain('mounted content');
    expect(built.lines).toContain('value=with "quotes" and $dollar');
    expect(built.lines).toContain('read-only');
    expect(built.lines.filter((line) => /^\d+: /.test(line))).toHaveLength(1);
    const root = await stack.unpacked('apps/images/app');
    // Only the place where it was.
    expect(readdirSync(join(root, 'stowage/bundle'))).toEqual([]);
    expect(JSON.stringify(built)).not.toContain('STEP=');
  });

  it('gives secrets to the steps that ask for them, and to nobody else', async () => {
    const built = await stack.build(
      {
        Dockerfile: `${BUSYBOX}\nRUN --mount=type=secret,id=token cat /run/secrets/token; echo; wc -c < /run/secrets/token > /size\nRUN ls /run/secrets || true`,
      },
      { secrets: { token: 'very-secret-value' } },
    );
    expect(built.lines).toContain('very-secret-value');
    const root = await stack.unpacked('apps/images/app');
    expect(readFileSync(join(root, 'size'), 'utf8').trim()).toBe('17');
  });

  it('keeps secrets in memory: no file has one while a step reads it', async () => {
    const token = `secret-${randomUUID()}`;
    const cancel = new AbortController();
    const input = stack.input(
      {
        Dockerfile: `${BUSYBOX}\nRUN --mount=type=secret,id=token stat -c mode=%a /run/secrets/token; grep /run/secrets/token /proc/self/mountinfo; echo waiting; sleep 600`,
      },
      { secrets: { token }, signal: cancel.signal, isHermetic: true },
    );
    const reading = Promise.withResolvers<void>();
    const { onLine } = input;
    input.onLine = (line) => {
      if (line === 'waiting') reading.resolve();
      return onLine(line);
    };
    const building = stack.builder().build(input);
    building.catch(reading.reject);
    await reading.promise;
    const found = join(stack.directory, 'would-be-found');
    writeFileSync(found, `a ${token}\n`);
    expect(await filesWith(token, stack.directory, '/dev/shm')).toEqual([found]);
    expect(input.lines).toContain('mode=400');
    expect(input.lines.findLast((line) => line.includes(' /run/secrets/token '))).toContain(' - tmpfs ');
    cancel.abort(new Error('cancelled by the test'));
    await expect(building).rejects.toThrow('cancelled by the test');
    rmSync(found);
  });

  it.each([
    ['no Dockerfile', {}, { code: 'dockerfile-not-found' }],
    ['a directory of that name', { 'Dockerfile/x': '' }, { code: 'dockerfile-not-found' }],
    ['no FROM', { Dockerfile: '# nothing' }, { code: 'dockerfile-invalid' }],
    [
      'an unknown instruction',
      { Dockerfile: 'FROM scratch\n\nFOO bar' },
      { code: 'dockerfile-invalid', details: { line: 3 } },
    ],
    [
      'a step without a command',
      { Dockerfile: 'FROM scratch\nRUN' },
      { code: 'dockerfile-invalid', details: { line: 2 } },
    ],
    [
      'flags that do not exist',
      { Dockerfile: 'FROM scratch\nCOPY --nothing=1 busybox /' },
      { details: { line: 2 } },
    ],
    [
      'a step that fails',
      { Dockerfile: `${BUSYBOX}\n# why\nRUN exit 7` },
      { code: 'step-failed', details: { line: 5, exitStatus: 7 } },
    ],
    [
      'a missing file',
      { Dockerfile: 'FROM scratch\nCOPY missing /' },
      { code: 'step-failed', details: { line: 2 } },
    ],
    [
      'an unknown base',
      { Dockerfile: '\nFROM apps/images/unknown:1' },
      { code: 'base-image-not-found', details: { line: 2 } },
    ],
    [
      'a base that is no name',
      { Dockerfile: 'FROM ../../etc' },
      { code: 'dockerfile-invalid', details: { line: 1 } },
    ],
  ])('refuses %s', async (_, files, expected) => {
    await expect(stack.build(files as Record<string, string>)).rejects.toMatchObject(expected);
  });
});

/** Those that go while they are looked at do not count. */
async function filesWith(content: string, ...directories: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)('sh', [
    ...['-c', 'grep -rlF -e "$@" 2>/dev/null; true', 'sh', content, ...directories],
  ]);
  // One directory may be in the other.
  return [...new Set(stdout.split('\n').filter(Boolean))];
}
