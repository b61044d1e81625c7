import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDockerDaemon } from '../../support/docker-daemon.ts';
import { cosign, helm } from './artifact-scenarios.ts';
import type { Client, ClientName } from './clients.ts';
import type { FixtureImage } from './fixture-image.ts';
import type { LiveServer } from './server.ts';

export interface Scene {
  client: Client;
  server: LiveServer;
  image: FixtureImage;
  /** For files; empty at the beginning. */
  directory: string;
}

/** What each client is made to do: each throws at the first thing that is not as it should be. */
export const SCENARIOS: Record<ClientName, (scene: Scene) => Promise<void>> = {
  skopeo,
  crane,
  oras,
  regctl,
  helm,
  cosign,
  buildah,
  podman,
  docker,
};

const SBOM = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  components: [{ type: 'library', name: 'lodash', version: '4.17.20', purl: 'pkg:npm/lodash@4.17.20' }],
};

async function skopeo({ client, server, image, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  await client('login', '--tls-verify=false', '--username', user, '--password', password, host);
  const there = (name: string) => `docker://${host}/${name}`;
  const copy = (from: string, to: string) =>
    client('copy', '--all', '--src-tls-verify=false', '--dest-tls-verify=false', from, to);
  const inspect = async (name: string) =>
    JSON.parse(await client('inspect', '--raw', '--tls-verify=false', there(name)));

  await copy(`oci:${image.layout}:multi`, there('live/images/skopeo:1'));
  const index = await inspect('live/images/skopeo:1');
  assert.deepEqual(
    index.manifests.map((one: { digest: string }) => one.digest),
    Object.values(image.platforms),
  );
  await copy(there('live/images/skopeo:1'), there('live/other/skopeo-copy:1'));
  await copy(there(`live/other/skopeo-copy@${image.digest}`), `oci:${directory}/out:multi`);
  const { manifests } = JSON.parse(await readFile(join(directory, 'out/index.json'), 'utf8'));
  assert.equal(manifests[0].digest, image.digest);
  await copy(there('live/images/skopeo:1'), there('short-name:2'));
  await copy(there('live/images/skopeo:1'), there('live/images/skopeo:2'));
  const tags = JSON.parse(await client('list-tags', '--tls-verify=false', there('live/images/skopeo')));
  assert.deepEqual(tags.Tags, ['1', '2']);
  const converted = ['--format', 'v2s2', '--src-tls-verify=false', '--dest-tls-verify=false'];
  await client('copy', ...converted, there('live/images/skopeo:1'), there('live/images/skopeo:docker'));
  const { mediaType } = await inspect('live/images/skopeo:docker');
  assert.equal(mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
  await client('delete', '--tls-verify=false', there('live/images/skopeo:2'));
  await assert.rejects(inspect('live/images/skopeo:2'), /manifest unknown/);
}

async function crane({ client, server, image, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  await client('auth', 'login', host, '--insecure', '-u', user, '-p', password);
  const call: Client = (...args) => client('--insecure', ...args);
  const there = `${host}/live/images/crane`;
  // The layout as a whole: an index of an index.
  await call('push', '--index', image.layout, `${there}:nested`);
  await call('copy', `${there}@${image.digest}`, `${there}:1`);
  assert.equal(await call('digest', `${there}:1`), image.digest);
  assert.equal(await call('digest', '--platform', 'linux/arm64', `${there}:1`), image.platforms.arm64);
  await call('validate', '--remote', `${there}:1`);
  await call('pull', '--platform', 'linux/amd64', `${there}:1`, join(directory, 'pulled.tar'));
  await call('copy', `${there}:1`, `${host}/live/other/crane-copy:1`);
  assert.equal(await call('digest', `${host}/live/other/crane-copy:1`), image.digest);
  await call('tag', `${there}:1`, '2');
  assert.equal(await call('ls', there), '1\n2\nnested');
  await call('mutate', '--label', 'a=b', '-t', `${there}:mutated`, `${there}@${image.platforms.amd64}`);
  const config = JSON.parse(await call('config', `${there}:mutated`));
  assert.equal(config.config.Labels.a, 'b');
  await call('index', 'append', '-m', `${there}:1`, '-m', `${there}:mutated`, '-t', `${there}:appended`);
  const appended = JSON.parse(await call('manifest', `${there}:appended`));
  assert.equal(appended.manifests.length, 3);
  assert.match(await call('catalog', host), /^live\/images\/crane$/m);
  await call('delete', `${there}:2`);
  await assert.rejects(call('manifest', `${there}:2`), /MANIFEST_UNKNOWN/);
  await call('delete', `${there}@${image.digest}`);
  assert.equal(await call('ls', there), 'appended\nmutated\nnested');
}

async function oras({ client, server, image, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  const call: Client = (...args) => client(...args);
  await call('login', host, '--plain-http', '-u', user, '-p', password);
  const there = `${host}/live/images/oras`;
  await call('cp', '-r', '--from-oci-layout', `${image.layout}:multi`, '--to-plain-http', `${there}:1`);
  const file = join(directory, 'notes.txt');
  const sbom = join(directory, 'sbom.json');
  await writeFile(file, 'release notes');
  await writeFile(sbom, JSON.stringify(SBOM));
  const plain = ['--plain-http', '--disable-path-validation'];
  await call('push', ...plain, `${there}:artifact`, '--artifact-type', 'text/x-notes', `${file}:text/plain`);
  await rm(file);
  await call('pull', '--plain-http', '--allow-path-traversal', `${there}:artifact`);
  assert.equal(await readFile(file, 'utf8'), 'release notes');
  const type = 'application/vnd.cyclonedx+json';
  for (const subject of ['1', '1', 'artifact']) {
    await call('attach', ...plain, '--artifact-type', type, `${there}:${subject}`, `${sbom}:${type}`);
  }
  const discovered = JSON.parse(
    await call('discover', '--plain-http', '--format', 'json', '--artifact-type', type, `${there}:1`),
  );
  const found = discovered.manifests ?? discovered.referrers;
  assert.ok(found.length >= 1);
  assert.equal(found[0].artifactType, type);
  await call(
    'cp',
    '-r',
    '--from-plain-http',
    '--to-plain-http',
    `${there}:1`,
    `${host}/live/other/oras-copy:1`,
  );
  const copied = await call('discover', '--plain-http', '--format', 'json', `${host}/live/other/oras-copy:1`);
  assert.match(copied, /cyclonedx/);
  await call('tag', '--plain-http', `${there}:1`, 'second', 'third');
  assert.equal(await call('repo', 'tags', '--plain-http', there), '1\nartifact\nsecond\nthird');
  assert.match(await call('repo', 'ls', '--plain-http', host), /^live\/images\/oras$/m);
  await call('manifest', 'delete', '--plain-http', '--force', `${there}:artifact`);
  await assert.rejects(call('manifest', 'fetch', '--plain-http', `${there}:artifact`), /not found/);
  await searchPackage(server, ['live/images/oras', 'live/other/oras-copy']);
}

/** What was attached is found by its packages, once a worker has read it. */
async function searchPackage({ url, authorization }: LiveServer, expected: string[]): Promise<void> {
  const query =
    '{ images(filter: {component: {purl: "pkg:npm/lodash", range: "<4.17.21"}}) { nodes { path } } }';
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ query }),
    });
    const { data } = (await answer.json()) as { data: { images: { nodes: { path: string }[] } } };
    const paths = data.images.nodes.map(({ path }) => path);
    if (paths.length >= expected.length || Date.now() > deadline) return assert.deepEqual(paths, expected);
  }
}

async function regctl({ client, server, image, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  await client(
    'registry',
    'set',
    host,
    '--skip-check',
    '--tls',
    'disabled',
    '--blob-chunk',
    '500000',
    '--blob-max',
    '1000000',
  );
  await client('registry', 'login', host, '-u', user, '-p', password);
  const there = `${host}/live/images/regctl`;
  await client('image', 'copy', `ocidir://${image.layout}:multi`, `${there}:1`);
  assert.equal(await client('image', 'digest', `${there}:1`), image.digest);
  await client('image', 'copy', '--referrers', `${there}:1`, `${host}/live/other/regctl-copy:1`);
  const sbom = join(directory, 'sbom.json');
  await writeFile(sbom, JSON.stringify(SBOM));
  await client(
    'artifact',
    'put',
    '--artifact-type',
    'application/vnd.example.sbom',
    '--file',
    sbom,
    '--subject',
    `${there}:1`,
  );
  const list = JSON.parse(await client('artifact', 'list', '--format', '{{jsonPretty .}}', `${there}:1`));
  assert.equal(list.descriptors?.length ?? list.manifest?.manifests?.length, 1);
  assert.equal(await client('tag', 'ls', there), '1');
  await client('image', 'copy', `${there}:1`, `${there}:2`);
  await client('tag', 'delete', `${there}:2`);
  assert.equal(await client('tag', 'ls', there), '1');
  assert.match(await client('repo', 'ls', host), /^live\/images\/regctl$/m);
  await client('image', 'export', `${there}:1`, join(directory, 'export.tar'));
  await client('manifest', 'delete', `${there}@${image.digest}`);
  await assert.rejects(client('manifest', 'get', `${there}@${image.digest}`), /404|not found/i);
}

async function buildah({ client, server, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  const call: Client = (...args) => client(...storageBelow(directory), ...args);
  await call('login', '--tls-verify=false', '-u', user, '-p', password, host);
  await writeFile(join(directory, 'hello'), 'hello');
  await writeFile(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY hello /hello\nLABEL by=buildah\n');
  const there = `${host}/live/images/buildah:1`;
  await call('bud', '--isolation', 'chroot', '-t', there, directory);
  await call('push', '--tls-verify=false', there);
  await call('rmi', there);
  await call('pull', '--tls-verify=false', there);
  const inspected = JSON.parse(await call('inspect', '--type', 'image', there));
  assert.equal(inspected.OCIv1.config.Labels.by, 'buildah');
  await call('manifest', 'create', 'list');
  await call('manifest', 'add', '--tls-verify=false', 'list', `docker://${there}`);
  await call(
    'manifest',
    'push',
    '--all',
    '--tls-verify=false',
    'list',
    `docker://${host}/live/images/buildah:list`,
  );
  await call('rmi', '--all', '--force');
}

async function podman({ client, server, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  const call: Client = (...args) => client(...storageBelow(directory), ...args);
  await call('login', '--tls-verify=false', '-u', user, '-p', password, host);
  await writeFile(join(directory, 'hello'), 'hello');
  await writeFile(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY hello /hello\nLABEL by=podman\n');
  const there = `${host}/live/images/podman`;
  await call('build', '--isolation', 'chroot', '-t', `${there}:1`, directory);
  const id = await call('image', 'inspect', '--format', '{{.Id}}', `${there}:1`);
  await call('push', '--tls-verify=false', `${there}:1`);
  await call('push', '--tls-verify=false', '--format', 'v2s2', `${there}:1`, `${there}:docker`);
  await call('rmi', '--all', '--force');
  assert.equal(await call('pull', '-q', '--tls-verify=false', `${there}:1`), id);
  assert.match(await call('search', '--tls-verify=false', '--list-tags', there), /docker/);
  await call('rmi', '--all', '--force');
}

async function docker({ client, server, directory }: Scene): Promise<void> {
  const { host, user, password } = server;
  const daemon = await startDockerDaemon(directory, (address) => client('-H', address, 'version'));
  const call: Client = (...args) => client('-H', daemon.address, ...args);
  try {
    await call('login', '-u', user, '-p', password, host);
    const context = join(directory, 'context');
    await mkdir(context);
    await writeFile(join(context, 'hello'), 'hello');
    await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY hello /hello\nLABEL by=docker\n');
    const there = `${host}/live/images/docker:1`;
    await call('build', '-t', there, context);
    // A name of one part falls into the defaults.
    for (const name of [there, `${host}/app:1`]) {
      await call('tag', there, name);
      await call('push', name);
    }
    const id = await call('image', 'inspect', '--format', '{{.Id}}', there);
    await call('rmi', '--force', id);
    await call('pull', '-q', `${host}/app:1`);
    assert.equal(await call('image', 'inspect', '--format', '{{.Id}}', `${host}/app:1`), id);
    const [descriptor] = JSON.parse(await call('image', 'inspect', `${host}/app:1`));
    assert.equal(descriptor.Config.Labels.by, 'docker');
    await assert.rejects(call('pull', `${host}/live/images/docker:none`), /manifest unknown/);
  } finally {
    await daemon.stop();
  }
}

/** Apart from what the machine has, and on any file system. */
function storageBelow(directory: string): string[] {
  const [root, run] = [join(directory, 'root'), join(directory, 'run')];
  return ['--root', root, '--runroot', run, '--storage-driver', 'vfs'];
}
