import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PASSWORD, RegistryStack, sha256 } from '../../support/registry-stack.ts';

const run = promisify(execFile);
let stack: RegistryStack;
let directory: string;

beforeAll(async () => {
  stack = await RegistryStack.start();
  directory = await mkdtemp(join(tmpdir(), 'stowage-skopeo-'));
});
afterAll(async () => {
  await stack.close();
  await rm(directory, { recursive: true, force: true });
});

/** An image as skopeo's `dir:` keeps it; the layer holds one file of random bytes. */
async function imageByHand(path: string): Promise<{ files: string[] }> {
  await mkdir(path);
  const layer = gzipSync(randomBytes(300_000));
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { made: 'by hand' } },
    rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
    history: [{ created: '2026-01-01T00:00:00Z', created_by: 'hand' }],
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: sha256(config),
      size: config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        digest: sha256(layer),
        size: layer.length,
      },
    ],
  });
  const files = new Map<string, string | Buffer>([
    [sha256(layer).slice(7), layer],
    [sha256(config).slice(7), config],
    ['manifest.json', manifest],
    ['version', 'Directory Transport Version: 1.1\n'],
  ]);
  for (const [name, content] of files) await writeFile(join(path, name), content);
  return { files: [...files.keys()].sort() };
}

async function skopeo(...args: string[]): Promise<string> {
  const { stdout } = await run('skopeo', ['--insecure-policy', ...args], { cwd: directory });
  return stdout;
}

const reference = (name: string): string => `docker://${stack.url.replace('http://', '')}/${name}`;
const CREDENTIALS = `ada:${PASSWORD}`;

test('an image goes in, is copied inside, and comes out byte for byte', async () => {
  const { files } = await imageByHand(join(directory, 'image'));
  const to = ['--dest-tls-verify=false', '--dest-creds', CREDENTIALS];
  const from = ['--src-tls-verify=false', '--src-creds', CREDENTIALS];
  await skopeo('copy', ...to, 'dir:image', reference('apps/images/hand:v1'));
  await skopeo('copy', ...from, ...to, reference('apps/images/hand:v1'), reference('apps/copy:v2'));
  await skopeo('copy', ...from, reference('apps/images/copy:v2'), 'dir:out');
  expect((await readdir(join(directory, 'out'))).sort()).toEqual(files);
  for (const name of files) {
    const [original, copy] = await Promise.all(
      ['image', 'out'].map((where) => readFile(join(directory, where, name))),
    );
    expect(copy!.equals(original!)).toBe(true);
  }
});

test('inspect, list and delete', async () => {
  const options = ['--tls-verify=false', '--creds', CREDENTIALS];
  const inspected = JSON.parse(await skopeo('inspect', ...options, reference('apps/images/hand:v1')));
  const manifest = await readFile(join(directory, 'image/manifest.json'), 'utf8');
  expect(inspected).toMatchObject({
    Digest: sha256(manifest),
    RepoTags: ['v1'],
    Architecture: 'amd64',
    Os: 'linux',
    Labels: { made: 'by hand' },
  });
  expect(await skopeo('inspect', '--raw', ...options, reference('apps/images/hand:v1'))).toBe(manifest);
  expect(JSON.parse(await skopeo('list-tags', ...options, reference('apps/images/hand'))).Tags).toEqual([
    'v1',
  ]);
  await skopeo('delete', ...options, reference('apps/images/hand:v1'));
  await expect(skopeo('inspect', ...options, reference('apps/images/hand:v1'))).rejects.toThrow(
    /manifest unknown|no such manifest/i,
  );
});

test('wrong credentials are refused', async () => {
  const options = ['--tls-verify=false', '--creds', 'ada:wrong'];
  await expect(skopeo('inspect', ...options, reference('apps/images/copy:v2'))).rejects.toThrow(
    /unauthorized|authentication required|invalid username/i,
  );
});

test('a client that is told to come later comes again by itself', async () => {
  const perSecond = 2;
  const { url } = await stack.addGateway({ STOWAGE_REQUEST_RATE: `${60 * perSecond}` });
  const ask = async (): Promise<number> => (await fetch(`${url}/v2/`)).status;
  // Nothing is left for the first request of the client.
  while ((await Promise.all(Array.from({ length: 20 }, ask))).every((status) => status !== 429));
  const image = `docker://${url.replace('http://', '')}/apps/images/copy:v2`;
  const listed = skopeo('list-tags', '--tls-verify=false', '--creds', CREDENTIALS, image.replace(/:v2$/, ''));
  expect(JSON.parse(await listed).Tags).toEqual(['v2']);
});
