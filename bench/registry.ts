import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BenchContext, type Figure, median, secondsOf } from './benchmark.ts';
import { type Part, peakMemory, startPart } from './child-process.ts';
import { type CncfDistribution, startCncfDistribution } from './cncf-distribution.ts';
import type { RegistryAnswer, RegistryQuestion, RegistryTarget } from './registry-client.ts';
import { type RegistryStack, startRegistry } from './registry-stack.ts';

const run = promisify(execFile);

const MIB = 1024 * 1024;
const LARGE = 512 * MIB;
const MANY = 8 * MIB;
const PAGE = 100;
const TAGS = 100_000;
const IMAGE = 'bench/images';
const YARDSTICK = 'distribution';

/** Gateways of one server; the machine has two cores. */
const PROCESSES = 2;

interface Measured {
  push: number[];
  pull: number[];
  many: number[];
  small: number[];
  get: number[];
  head: number[];
  firstTags: number[];
  tags: number[];
  lastTags: number[];
  catalog: number[];
}

/** Both registries on the same disk with empty stores, by turns; distribution asks for no credentials and syncs nothing. */
export async function registry(context: BenchContext): Promise<Figure[]> {
  const { stage, runs, quick, say } = context;
  const client = await startPart(stage, 'registry-client.ts');
  const ours = await startRegistry(stage, PROCESSES);
  const theirs = await startCncfDistribution(stage);
  const sides = { ours: ours.target, theirs: theirs.target };
  const manifests = await pushImages(sides);
  for (const target of Object.values(sides)) await warmUp(client, target);
  const measured = { ours: nothingYet(), theirs: nothingYet() };
  for (let round = 0; round < runs; round += 1) {
    // Whoever is second has a warmer disk, or a fuller one.
    const order = round % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const);
    for (const side of order) {
      await measure(client, sides[side], measured[side], quick ? 2 : 5);
      const { push, pull, small, get, head } = measured[side];
      const figures = [push, pull, small, get, head].map((values) => Math.round(values.at(-1)!));
      say(`${side}: push, pull MB/s, 4 KiB pushes, GET, HEAD /s: ${figures.join(', ')}`);
    }
  }
  const tags = quick ? 10_000 : TAGS;
  await fill(ours, theirs, manifests, tags);
  for (let round = 0; round < runs; round += 1) {
    for (const side of ['ours', 'theirs'] as const) await list(sides[side], measured[side], tags);
  }
  const cut = await client.ask<RegistryAnswer>({
    kind: 'cut-push',
    target: ours.target,
    image: `${IMAGE}/large`,
    bytes: (quick ? 256 : 2048) * MIB,
    cuts: 5,
  });
  say(`ours: ${cut.bytes / MIB} MiB over connections that break five times, ${cut.seconds.toFixed(1)} s`);
  const memory = Math.max(...ours.gateways.map(peakMemory));
  await client.stop();
  return figuresOf(measured, { memory, largest: cut.bytes, tags });
}

/** Every process has moved some bytes before it is measured. */
async function warmUp(client: Part<unknown>, target: RegistryTarget): Promise<void> {
  const image = `${IMAGE}/large`;
  for (let time = 0; time < 3; time += 1) {
    const { digest } = await client.ask<RegistryAnswer>({ kind: 'push', target, image, bytes: 4 * MANY });
    const path = `/v2/${image}/blobs/${digest}`;
    await client.ask<RegistryAnswer>({ kind: 'pull', target, path, connections: 8 });
  }
}

async function measure(
  client: Part<unknown>,
  target: RegistryTarget,
  into: Measured,
  seconds: number,
): Promise<void> {
  const ask = (question: Omit<RegistryQuestion, 'target'>) =>
    client.ask<RegistryAnswer>({ ...question, target });
  const push = async (bytes: number): Promise<RegistryAnswer> =>
    await ask({ kind: 'push', image: `${IMAGE}/large`, bytes } as never);
  const pull = async (digest: string, connections: number): Promise<RegistryAnswer> =>
    await ask({ kind: 'pull', path: `/v2/${IMAGE}/large/blobs/${digest}`, connections } as never);
  const reads = async (method: 'GET' | 'HEAD'): Promise<number> =>
    perSecond(
      await ask({
        kind: 'reads',
        method,
        path: `/v2/${IMAGE}/read/manifests/v1`,
        connections: 32,
        seconds,
      } as never),
    );
  // Nobody pays for what the other one has left to be written: syncing one file writes much of what is around it.
  await run('sync');
  const large = await push(LARGE);
  into.push.push(megabytesPerSecond(large));
  into.pull.push(megabytesPerSecond(await pull(large.digest, 1)));
  const one = await push(MANY);
  into.many.push(megabytesPerSecond(await pull(one.digest, 128)));
  await run('sync');
  into.small.push(
    perSecond(
      await ask({
        kind: 'small-pushes',
        image: `${IMAGE}/small`,
        bytes: 4096,
        connections: 16,
        seconds,
      } as never),
    ),
  );
  into.get.push(await reads('GET'));
  into.head.push(await reads('HEAD'));
}

/** An image that is read, in both; the digest of its manifest. */
async function pushImages(sides: { ours: RegistryTarget; theirs: RegistryTarget }): Promise<string> {
  const config = '{"os":"linux","architecture":"amd64"}';
  const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const blob = { digest: digestOf(config), size: config.length };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...blob },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...blob }],
  });
  for (const target of Object.values(sides)) {
    for (const image of ['read', 'listed']) {
      const name = `${IMAGE}/${image}`;
      const begun = await call(target, 'POST', `/v2/${name}/blobs/uploads/`);
      const location = new URL(begun.headers.get('location')!, begun.url);
      location.searchParams.set('digest', blob.digest);
      await call(target, 'PUT', location.pathname + location.search, config);
      await call(target, 'PUT', `/v2/${name}/manifests/v1`, manifest, mediaType);
    }
  }
  return digestOf(manifest);
}

async function call(
  { host, port, authorization }: RegistryTarget,
  method: string,
  path: string,
  body?: string,
  type = 'application/octet-stream',
): Promise<Response> {
  const response = await fetch(`http://${host}:${port}${path}`, {
    method,
    headers: { ...(authorization !== null && { authorization }), 'content-type': type },
    ...(body !== undefined && { body }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

/** So many tags on one image, and a hundredth of that images with one tag: as if they had been pushed. */
async function fill(
  ours: RegistryStack,
  theirs: CncfDistribution,
  digest: string,
  tags: number,
): Promise<void> {
  await ours.database.sql.query(
    `insert into tags (image_id, name, manifest_id)
     select image_id, 'tag-' || lpad(n::text, 6, '0'), m.id
     from manifests m join images i on i.id = m.image_id, generate_series(1, $2::integer) as n
     where i.path = $1`,
    [`${IMAGE}/listed`, tags],
  );
  await ours.database.sql.query(
    `with image as (
       insert into images (repository_id, name, path)
       select i.repository_id, 'many-' || n, 'bench/images/many-' || n
       from images i, generate_series(1, $2::integer) as n where i.path = $1 returning id
     )
     insert into manifests (image_id, digest, media_type, size, image_size)
     select image.id, m.digest, m.media_type, m.size, m.image_size from image, manifests m join images i on i.id = m.image_id
     where i.path = $1`,
    [`${IMAGE}/listed`, tags / 100],
  );
  await ours.database.sql.query('analyze');
  const repositories = join(theirs.root, 'docker/registry/v2/repositories', IMAGE);
  const tag = async (image: string, name: string): Promise<void> => {
    const directory = join(repositories, image, '_manifests/tags', name, 'current');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'link'), digest);
  };
  const names = Array.from({ length: tags }, (_, n) => tagName(n + 1));
  while (names.length > 0) await Promise.all(names.splice(0, 500).map((name) => tag('listed', name)));
  for (let n = 1; n <= tags / 100; n += 1) {
    await mkdir(join(repositories, `many-${n}`, '_layers'), { recursive: true });
    await tag(`many-${n}`, 'v1');
  }
}

/** Pages of the tags at the beginning, in the middle and at the end, and one in the middle of the catalogue. */
async function list(target: RegistryTarget, into: Measured, tags: number): Promise<void> {
  const page = async (path: string): Promise<number> =>
    1000 * (await secondsOf(async () => await (await call(target, 'GET', path)).arrayBuffer()));
  const tagsBehind = async (count: number): Promise<number> =>
    await page(`/v2/${IMAGE}/listed/tags/list?n=${PAGE}${count === 0 ? '' : `&last=${tagName(count)}`}`);
  into.firstTags.push(await tagsBehind(0));
  into.tags.push(await tagsBehind(tags / 2));
  into.lastTags.push(await tagsBehind(tags - PAGE));
  into.catalog.push(await page(`/v2/_catalog?n=${PAGE}&last=${IMAGE}/many-3`));
}

function tagName(number: number): string {
  return `tag-${String(number).padStart(6, '0')}`;
}

function figuresOf(
  { ours, theirs }: { ours: Measured; theirs: Measured },
  { memory, largest, tags }: { memory: number; largest: number; tags: number },
): Figure[] {
  const count = tags.toLocaleString('en');
  const figure = (
    name: string,
    of: keyof Measured,
    unit: Figure['unit'],
    budget: Figure['budget'],
  ): Figure => ({
    name: `registry, ${name}`,
    measured: median(ours[of]),
    unit,
    yardstick: { name: YARDSTICK, value: median(theirs[of]) },
    budget,
  });
  const ratio = (limit: number): Figure['budget'] => ({ of: 'ratio', comparison: 'at least', limit });
  const most = (limit: number): Figure['budget'] => ({ of: 'value', comparison: 'at most', limit });
  return [
    figure('push of 512 MiB', 'push', 'MB/s', ratio(1.2)),
    figure('pull of 512 MiB', 'pull', 'MB/s', ratio(0.8)),
    figure('128 pulls of 8 MiB at once', 'many', 'MB/s', ratio(0.8)),
    figure('4 KiB pushes, 16 connections', 'small', '/s', ratio(2)),
    figure('manifest GET, 32 connections', 'get', '/s', ratio(5)),
    figure('manifest HEAD, 32 connections', 'head', '/s', ratio(5)),
    figure(`first page of ${count} tags`, 'firstTags', 'ms', most(50)),
    figure(`page in the middle of ${count} tags`, 'tags', 'ms', most(50)),
    figure(`last page of ${count} tags`, 'lastTags', 'ms', most(50)),
    figure('a page of the catalogue', 'catalog', 'ms', most(50)),
    {
      name: `registry, memory of a gateway, 128 pulls at once and a blob of ${largest / MIB} MiB, peak`,
      measured: memory,
      unit: 'MB',
      yardstick: null,
      budget: most(300),
    },
  ];
}

function nothingYet(): Measured {
  return {
    push: [],
    pull: [],
    many: [],
    small: [],
    get: [],
    head: [],
    firstTags: [],
    tags: [],
    lastTags: [],
    catalog: [],
  };
}

function perSecond({ count, seconds }: RegistryAnswer): number {
  return count / seconds;
}

function megabytesPerSecond({ bytes, seconds }: RegistryAnswer): number {
  return bytes / seconds / 1e6;
}
