import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Scene } from './scenarios.ts';

/** Clients of what is no image: charts, and the signatures of what is there. */

export async function helm({ client, server, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  const packed = await packedChart({ client, directory });
  const there = `oci://${host}/live/charts`;
  await client('registry', 'login', host, '--insecure', '-u', user, '-p', password);
  await client('push', packed, there, '--plain-http');
  const pulled = join(directory, 'pulled');
  await mkdir(pulled);
  await client('pull', `${there}/chart`, '--version', '0.1.0', '--plain-http', '--destination', pulled);
  assert.deepEqual(await readFile(join(pulled, 'chart-0.1.0.tgz')), await readFile(packed));
  // Without a version it looks for the newest tag.
  assert.match(await client('show', 'chart', `${there}/chart`, '--plain-http'), /^version: 0\.1\.0$/m);
  await assert.rejects(client('pull', `${there}/chart`, '--version', '9.9.9', '--plain-http'), /not found/);
}

async function packedChart({ client, directory }: Pick<Scene, 'client' | 'directory'>): Promise<string> {
  await client('create', join(directory, 'chart'));
  await client('package', join(directory, 'chart'), '--destination', directory);
  return join(directory, 'chart-0.1.0.tgz');
}

export async function cosign({ client, server, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  await client('login', host, '-u', user, '-p', password);
  const file = join(directory, 'statement.json');
  await writeFile(file, '{"a":"b"}');
  const name = 'live/images/cosign';
  await client('upload', 'blob', '--allow-http-registry', '-f', file, `${host}/${name}:1`);
  const digest = await digestOf(server, name, '1');
  const signed = `${host}/${name}@${digest}`;
  const key = join(directory, 'key');
  await client('generate-key-pair', '--output-key-prefix', key);
  const signing = ['--key', `${key}.key`, '--tlog-upload=false', '--allow-http-registry', '-y'];
  const verifying = ['--key', `${key}.pub`, '--insecure-ignore-tlog', '--allow-http-registry'];
  await assert.rejects(client('verify', ...verifying, signed), /no signatures found/);
  await client('sign', ...signing, signed);
  const [signature] = JSON.parse(await client('verify', ...verifying, signed));
  assert.equal(signature.critical.image['docker-manifest-digest'], digest);
  await client('attest', ...signing, '--type', 'custom', '--predicate', file, signed);
  await client('verify-attestation', ...verifying, '--type', 'custom', signed);
  await client('attach', 'sbom', '--sbom', file, '--allow-http-registry', signed);
  const base = digest.replace(':', '-');
  assert.deepEqual(await tagsOf(server, name), ['1', `${base}.att`, `${base}.sbom`, `${base}.sig`]);
  await client('clean', '--type', 'all', '-f', '--allow-http-registry', signed);
  assert.deepEqual(await tagsOf(server, name), ['1']);
}

async function digestOf(server: Scene['server'], name: string, tag: string): Promise<string> {
  const { headers } = await get(server, `/v2/${name}/manifests/${tag}`);
  return headers.get('docker-content-digest')!;
}

async function tagsOf(server: Scene['server'], name: string): Promise<string[]> {
  const answer = await get(server, `/v2/${name}/tags/list`);
  return ((await answer.json()) as { tags: string[] }).tags;
}

async function get({ url, authorization }: Scene['server'], path: string): Promise<Response> {
  const answer = await fetch(`${url}${path}`, { headers: { authorization } });
  assert.equal(answer.status, 200);
  return answer;
}
