import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { type CommandOutcome, type ContainerStorage, STORAGE_PREFIX } from './container-storage.ts';
import type { BaseReference } from './dockerfile-plan.ts';
import type { ImageDestination } from './image-builder.ts';
import { matchesPlatform, type Platform } from './platform.ts';
import type { SandboxMount } from './sandbox.ts';

/** A base image in the storage. */
export interface BaseImage {
  reference: BaseReference;
  /** Of the manifest that is used: of one platform. */
  digest: Digest;
  /** What the storage knows it by. */
  pinned: string;
}

export interface BaseImageContext {
  storage: ContainerStorage;
  settings: Settings;
  destination: ImageDestination;
  platform: Platform;
  temporaryDirectory: string;
  onLine: (line: string) => Promise<void> | null;
  signal: AbortSignal;
}

/** Where an image may come from. */
interface Origin {
  /** As skopeo takes it, without tag and digest. */
  repository: string;
  arguments: readonly string[];
  mounts: readonly SandboxMount[];
}

/**
 * Brings the images that a Dockerfile starts from into the storage, with our own credentials, before any of its steps
 * runs. Throws BuildFailure `base-image-not-found`.
 */
export async function fetchBaseImages(
  references: readonly BaseReference[],
  context: BaseImageContext,
): Promise<BaseImage[]> {
  const images: BaseImage[] = [];
  for (const reference of references) images.push(await fetchBaseImage(reference, context));
  return images;
}

async function fetchBaseImage(reference: BaseReference, context: BaseImageContext): Promise<BaseImage> {
  const name = parseName(reference);
  const platform = reference.platform === null ? context.platform : parsePlatformOf(reference);
  const problems: string[] = [];
  for (const origin of await originsOf(name, context)) {
    const found = await findManifest(origin, name, platform, context);
    if ('problem' in found) {
      problems.push(found.problem);
      continue;
    }
    const { digest } = found;
    const pinned = `${name.hasHost ? '' : 'localhost/'}${name.repository}`;
    await context.onLine(`Base image ${reference.name} is ${digest}`);
    const copied = await skopeo(
      context,
      origin,
      ['copy', '--quiet', ...origin.arguments.map((argument) => argument.replace(/^--/, '--src-'))],
      [`docker://${origin.repository}@${digest}`, `${STORAGE_PREFIX}${pinned}:${digest.replace(':', '-')}`],
    );
    if (copied.exitCode === 0) return { reference, digest, pinned: `${pinned}@${digest}` };
    problems.push(lastLine(copied));
  }
  throw new BuildFailure(
    'base-image-not-found',
    `The base image ${reference.name} of line ${reference.line} cannot be had: ${problems.join('; ')}`,
    { line: reference.line, details: { image: reference.name } },
  );
}

// --- names ----------------------------------------------------------------------------------------------------------

interface Name {
  /** Whether its first part is a host, as docker's clients tell. */
  hasHost: boolean;
  repository: string;
  tag: string;
  digest: Digest | null;
}

function parseName({ name, line }: BaseReference): Name {
  const [, repository, tag, digest] =
    /^([a-zA-Z0-9][a-zA-Z0-9._:/-]*?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(name) ?? [];
  const parts = repository?.split('/') ?? [];
  const host = parts.length > 1 && /[.:]|^localhost$/.test(parts[0]!);
  const path = host ? parts.slice(1) : parts;
  if (
    repository === undefined ||
    !path.every((part) => /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/.test(part))
  ) {
    throw new BuildFailure('dockerfile-invalid', `"${name}" in line ${line} is not the name of an image`, {
      line,
    });
  }
  return { hasHost: host, repository, tag: tag ?? 'latest', digest: (digest as Digest | undefined) ?? null };
}

function parsePlatformOf({ platform, line }: BaseReference): Platform {
  const [os, architecture, variant, ...rest] = platform!.split('/');
  if (os && architecture && rest.length === 0) return { os, architecture, variant: variant ?? null };
  throw new BuildFailure('dockerfile-invalid', `"${platform}" in line ${line} is not a platform`, { line });
}

/** Our own registry for names without a host, and for its own; then what the name says, or the operator's mirror of it. */
async function originsOf(name: Name, context: BaseImageContext): Promise<Origin[]> {
  const { settings, destination, temporaryDirectory } = context;
  const { host, protocol } = new URL(destination.url);
  const publicHost = settings.publicUrl === null ? null : new URL(settings.publicUrl).host;
  const [first = '', ...rest] = name.repository.split('/');
  const own = await registryAccess(destination, temporaryDirectory);
  const ours = (path: string): Origin => ({
    repository: `${host}/${path}`,
    arguments: [...own.arguments, ...(protocol === 'http:' ? ['--tls-verify=false'] : [])],
    mounts: own.mounts,
  });
  if (name.hasHost && (first === host || first === publicHost)) return [ours(rest.join('/'))];
  const { imageAuthFile } = settings;
  const upstream: Origin = {
    repository: mirrored(name.repository, settings.imageMirrors),
    arguments: imageAuthFile === null ? [] : ['--authfile=/run/upstream-auth.json'],
    mounts:
      imageAuthFile === null
        ? []
        : [{ source: imageAuthFile, target: '/run/upstream-auth.json', isWritable: false }],
  };
  return name.hasHost ? [upstream] : [ours(name.repository), upstream];
}

function mirrored(repository: string, mirrors: Settings['imageMirrors']): string {
  const [longest] = mirrors
    .filter(({ prefix }) => repository.startsWith(prefix))
    .sort((one, other) => other.prefix.length - one.prefix.length);
  return longest ? longest.replacement + repository.slice(longest.prefix.length) : repository;
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
  origin: Origin,
  name: Name,
  platform: Platform,
  context: BaseImageContext,
): Promise<{ digest: Digest } | { problem: string }> {
  const wanted = name.digest === null ? `:${name.tag}` : `@${name.digest}`;
  const read = await skopeo(
    context,
    origin,
    ['inspect', '--raw', ...origin.arguments],
    [`docker://${origin.repository}${wanted}`],
  );
  if (read.exitCode !== 0) return { problem: lastLine(read) };
  const manifest = JSON.parse(read.stdout) as { manifests?: Descriptor[] };
  if (!manifest.manifests) return { digest: digestOf(read.stdout) };
  const chosen = manifest.manifests.find((one) => one.platform && matchesPlatform(one.platform, platform));
  if (chosen) return { digest: chosen.digest };
  return { problem: `it does not exist for ${platform.os}/${platform.architecture}` };
}

interface Descriptor {
  digest: Digest;
  platform?: { os: string; architecture: string; variant?: string };
}

function digestOf(manifest: string): Digest {
  return `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
}

async function skopeo(
  { storage, signal }: BaseImageContext,
  { mounts }: Origin,
  command: readonly string[],
  operands: readonly string[],
): Promise<CommandOutcome> {
  return await storage.run(['skopeo', '--override-os=linux', ...command, ...operands], {
    network: 'shared',
    mounts,
    signal,
  });
}

/** What a tool says about its failure, without what only its log needs. */
export function lastLine({ stderr, exitCode }: CommandOutcome): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  const message = /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replaceAll('\\"', '"');
  return (message ?? line).replace(/^Error: /, '') || `the command ended with status ${exitCode}`;
}
