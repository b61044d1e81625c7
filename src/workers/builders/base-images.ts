import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { digestOf } from '../../domain/storage/digest-of.ts';
import { type CommandOutcome, type ContainerStorage, STORAGE_PREFIX } from './container-storage.ts';
import type { BaseReference } from './dockerfile-plan.ts';
import type { ImageDestination } from './image-builder.ts';
import { type ImageReference, parseImageReference } from './image-reference.ts';
import { matchesPlatform, type Platform } from './platform.ts';
import { RegistryAwayError, saysAway, whenRegistryAnswers } from './registry-away.ts';
import { type ImageConfig, type ImageManifest, RegistryCalls } from './registry-calls.ts';
import type { SandboxMount } from './sandbox.ts';
import type { MissingImage, UpstreamImages } from './upstream-images/upstream-images.ts';

/** A base image, in our registry. */
export interface BaseImage {
  reference: BaseReference;
  /** Of the manifest that is used: of one platform. */
  digest: Digest;
  /** In our registry. */
  path: string;
  /** What a storage knows it by, when it has been pulled. */
  pinned: string;
}

export interface BaseImageContext {
  storage: ContainerStorage;
  settings: Settings;
  /** Of images that our registry does not have; null: there are none. */
  upstream: Pick<UpstreamImages, 'copy'> | null;
  destination: ImageDestination;
  platform: Platform;
  temporaryDirectory: string;
  onLine: (line: string) => Promise<void> | null;
  onStep: (line: number) => void;
  signal: AbortSignal;
}

/** An image of our registry. */
interface Located {
  path: string;
  reference: string;
}

/**
 * Finds the images that a Dockerfile starts from, before any of its steps runs. Those that our registry does not have are
 * copied to it first (upstream-images). Throws BuildFailure `base-image-not-found`.
 */
export async function findBaseImages(
  references: readonly BaseReference[],
  context: BaseImageContext,
): Promise<BaseImage[]> {
  const images: BaseImage[] = [];
  for (const reference of references) images.push(await findBaseImage(reference, context));
  return images;
}

/** Brings them into the storage. Throws BuildFailure `base-image-not-found`. */
export async function pullBaseImages(images: readonly BaseImage[], context: BaseImageContext): Promise<void> {
  for (const { reference, path, digest, pinned } of images) {
    context.onStep(reference.line);
    const name = pinned.slice(0, pinned.indexOf('@'));
    const copied = await skopeo(context, ['copy', '--quiet'], '--src-', { path, reference: `@${digest}` }, [
      `${STORAGE_PREFIX}${name}:${digest.replace(':', '-')}`,
    ]);
    if (copied.exitCode !== 0) throw notFound(reference, [lastLine(copied)]);
  }
}

/**
 * Whether its history tells of every layer. buildah refuses to build layer by layer on an image of which it does not, such as
 * one that was put together by hand. Throws BuildFailure `base-image-not-found`.
 */
export async function hasWholeHistory(
  { reference, path, digest }: BaseImage,
  { destination, signal, onLine }: Pick<BaseImageContext, 'destination' | 'signal' | 'onLine'>,
): Promise<boolean> {
  const registry = new RegistryCalls(destination, path, signal);
  const read = async (): Promise<boolean> => {
    const { config, layers } = JSON.parse((await registry.manifest(digest)).body) as ImageManifest;
    const { history = [] } = JSON.parse(await registry.blob(config.digest)) as ImageConfig;
    return history.filter((step) => !step.empty_layer).length === layers.length;
  };
  return await whenRegistryAnswers(read, { signal, onLine }).catch((error: unknown) => {
    if (!(error instanceof BuildFailure) || error instanceof RegistryAwayError) throw error;
    throw notFound(reference, [error.message]);
  });
}

async function findBaseImage(reference: BaseReference, context: BaseImageContext): Promise<BaseImage> {
  context.onStep(reference.line);
  const name = parseName(reference);
  const platform = reference.platform === null ? context.platform : parsePlatformOf(reference);
  const problems: string[] = [];
  let isAway = false;
  for (const locate of locationsOf(name, reference, platform, context)) {
    const located = await locate();
    const found = 'problem' in located ? located : await findManifest(located, platform, context);
    if ('problem' in found) {
      problems.push(found.problem);
      isAway ||= found.isAway ?? false;
      continue;
    }
    const { digest, path } = found;
    await context.onLine(`Base image ${reference.name} is ${digest}`);
    return { reference, digest, path, pinned: `${name.host ?? 'localhost'}/${name.path}@${digest}` };
  }
  throw notFound(reference, problems, isAway);
}

/** @param isAway whether it may be had another time */
function notFound({ name, line }: BaseReference, problems: readonly string[], isAway = false): BuildFailure {
  return new BuildFailure(
    'base-image-not-found',
    `The base image ${name} of line ${line} cannot be had: ${problems.join('; ')}`,
    { line, details: { image: name, ...(isAway && { retryable: true }) }, retryable: isAway },
  );
}

// --- names ----------------------------------------------------------------------------------------------------------

function parseName({ name, line }: BaseReference): ImageReference {
  try {
    return parseImageReference(name);
  } catch {
    throw new BuildFailure('dockerfile-invalid', `"${name}" in line ${line} is not the name of an image`, {
      line,
    });
  }
}

function parsePlatformOf({ platform, line }: BaseReference): Platform {
  const [os, architecture, variant, ...rest] = platform!.split('/');
  if (os && architecture && rest.length === 0) return { os, architecture, variant: variant ?? null };
  throw new BuildFailure('dockerfile-invalid', `"${platform}" in line ${line} is not a platform`, { line });
}

/** Our own registry for names without a host, and for its own; then what the name says elsewhere. */
function locationsOf(
  { host, path, tag, digest }: ImageReference,
  reference: BaseReference,
  platform: Platform,
  context: BaseImageContext,
): (() => Promise<Located | MissingImage>)[] {
  const { settings, destination, upstream, onLine, signal } = context;
  const isOurs = [destination.url, settings.publicUrl].some(
    (url) => url !== null && new URL(url).host === host,
  );
  const ours = async (): Promise<Located> => ({
    path,
    reference: digest === null ? `:${tag}` : `@${digest}`,
  });
  const copied = async (): Promise<Located | MissingImage> => {
    if (upstream === null) return { problem: 'other registries are out of reach' };
    const write = (line: string): void => void onLine(line);
    const copy = await upstream.copy(reference.name, {
      platform,
      log: { debug: () => undefined, info: write, warn: write },
      signal,
    });
    return 'problem' in copy ? copy : { path: copy.path, reference: `@${copy.digest}` };
  };
  const { registryDefaultProject: project, registryDefaultRepository: repository } = settings;
  // Spelled out like this it is no name of another registry, which would be asked for long when it is out of reach.
  const isSpelledOut = host === null && path.startsWith(`${project}/${repository}/`);
  if (isOurs || isSpelledOut) return [ours];
  return host === null ? [ours, copied] : [copied];
}

/** The build's token, in the form of docker's clients. */
export async function registryAccess(
  { url, credentials: { username, password } }: ImageDestination,
  temporaryDirectory: string,
): Promise<{ arguments: string[]; mounts: SandboxMount[] }> {
  const source = join(temporaryDirectory, 'registry-auth.json');
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  await writeFile(source, JSON.stringify({ auths: { [new URL(url).host]: { auth } } }), { mode: 0o600 });
  return {
    arguments: ['--authfile=/run/registry-auth.json'],
    mounts: [{ source, target: '/run/registry-auth.json', isWritable: false }],
  };
}

// --- manifests ------------------------------------------------------------------------------------------------------

async function findManifest(
  located: Located,
  platform: Platform,
  context: BaseImageContext,
): Promise<{ digest: Digest; path: string } | MissingImage> {
  const { path } = located;
  const read = await skopeo(context, ['inspect', '--raw'], '--', located, []);
  if (read.exitCode !== 0) {
    const isMissing = /\b(?:name|manifest) unknown\b/.test(read.stderr);
    return { problem: isMissing ? 'this registry does not have it' : lastLine(read) };
  }
  const manifest = JSON.parse(read.stdout) as { manifests?: Descriptor[] };
  if (!manifest.manifests) return { path, digest: digestOf(read.stdout) };
  const chosen = manifest.manifests.find((one) => one.platform && matchesPlatform(one.platform, platform));
  if (chosen) return { path, digest: chosen.digest };
  return { problem: `it does not exist for ${platform.os}/${platform.architecture}` };
}

interface Descriptor {
  digest: Digest;
  platform?: { os: string; architecture: string; variant?: string };
}

/** On an image of our registry, with the build's token. */
async function skopeo(
  { storage, destination, temporaryDirectory, onLine, signal }: BaseImageContext,
  command: readonly string[],
  optionPrefix: '--' | '--src-',
  { path, reference }: Located,
  operands: readonly string[],
): Promise<CommandOutcome> {
  const access = await registryAccess(destination, temporaryDirectory);
  const { host, protocol } = new URL(destination.url);
  const options = [...access.arguments, ...(protocol === 'http:' ? ['--tls-verify=false'] : [])];
  const whole = [
    ...['skopeo', '--override-os=linux', ...command],
    ...options.map((option) => option.replace(/^--/, optionPrefix)),
    `docker://${host}/${path}${reference}`,
    ...operands,
  ];
  const exchange = async (): Promise<CommandOutcome> => {
    const outcome = await storage.run(whole, { network: 'shared', mounts: access.mounts, signal });
    const said = lastLine(outcome);
    if (outcome.exitCode !== 0 && saysAway(said))
      throw new RegistryAwayError(`A base image could not be read: ${said}`);
    return outcome;
  };
  return await whenRegistryAnswers(exchange, { signal, onLine });
}

/** What a tool says about its failure, without what only its log needs. */
export function lastLine({ stderr, exitCode }: CommandOutcome): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  const message = /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replaceAll('\\"', '"');
  return (message ?? line).replace(/^Error: /, '') || `the command ended with status ${exitCode}`;
}
