import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import { digestOf } from '../../domain/storage/digest-of.ts';
import type { BuiltImage, ImageDestination } from './image-builder.ts';
import { isAway, RegistryAwayError } from './registry-away.ts';

interface Manifest {
  config: { digest: string; size: number };
  layers: { size: number }[];
  annotations?: Record<string, string>;
}

interface Config {
  created?: string;
  history?: { created?: string; comment?: string }[];
}

/**
 * Takes out of a pushed image what tells how it was built and not what it is: buildah writes ids of its intermediate
 * images, which depend on what other builds have left in its cache, into history and annotations. Only then the same
 * input gives the same digest. Throws BuildFailure `push-failed`.
 *
 * @param created the time of all its history
 */
export async function settlePushedImage(
  destination: ImageDestination,
  digest: string,
  created: number,
  signal: AbortSignal,
): Promise<Pick<BuiltImage, 'digest' | 'mediaType' | 'size'>> {
  const registry = new PushedTo(destination, signal);
  const { body, mediaType } = await registry.manifest(digest);
  const manifest = JSON.parse(body) as Manifest;
  const config = JSON.parse(await registry.blob(manifest.config.digest)) as Config;
  const time = new Date(created * 1000).toISOString().replace('.000', '');
  config.created = time;
  for (const step of config.history ?? []) {
    step.created = time;
    if (step.comment?.startsWith('FROM ')) delete step.comment;
  }
  const settledConfig = Buffer.from(JSON.stringify(config));
  manifest.config = { ...manifest.config, digest: digestOf(settledConfig), size: settledConfig.length };
  const { annotations = {} } = manifest;
  for (const name of Object.keys(annotations)) {
    if (name.startsWith('org.opencontainers.image.base.')) delete annotations[name];
  }
  if (Object.keys(annotations).length === 0) delete manifest.annotations;
  const settled = Buffer.from(JSON.stringify(manifest));
  await registry.putBlob(settledConfig);
  await registry.putManifest(settled, mediaType);
  return {
    digest: digestOf(settled),
    mediaType,
    size: manifest.layers.reduce((sum, { size }) => sum + size, manifest.config.size),
  };
}

const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** The few calls of `/v2` that are needed, at the place of a push. */
class PushedTo {
  readonly #destination: ImageDestination;
  readonly #base: string;
  readonly #signal: AbortSignal;

  constructor(destination: ImageDestination, signal: AbortSignal) {
    this.#destination = destination;
    this.#base = `${destination.url.replace(/\/$/, '')}/v2/${destination.path}`;
    this.#signal = signal;
  }

  async manifest(digest: string): Promise<{ body: string; mediaType: string }> {
    const { body, headers } = await this.#call('GET', `/manifests/${digest}`, 200, {
      accept: MANIFEST_TYPES.join(', '),
    });
    return { body, mediaType: String(headers['content-type']) };
  }

  async blob(digest: string): Promise<string> {
    return (await this.#call('GET', `/blobs/${digest}`, 200)).body;
  }

  async putBlob(bytes: Buffer): Promise<void> {
    const type = { 'content-type': 'application/octet-stream' };
    await this.#call('POST', `/blobs/uploads/?digest=${digestOf(bytes)}`, 201, type, bytes);
  }

  async putManifest(bytes: Buffer, mediaType: string): Promise<void> {
    const { tag } = this.#destination;
    await this.#call('PUT', `/manifests/${tag}`, 201, { 'content-type': mediaType }, bytes);
  }

  async #call(
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    expected: number,
    headers: Record<string, string> = {},
    bytes: Buffer | null = null,
  ) {
    const { username, password } = this.#destination.credentials;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const options = { method, headers: { ...headers, authorization }, body: bytes, signal: this.#signal };
    const { status, headers: told, body } = await this.#exchange(path, options);
    if (status === expected) return { body, headers: told };
    const message = `The registry answers with status ${status} to the push`;
    if (isAway(status)) throw new RegistryAwayError(message);
    throw new BuildFailure('push-failed', message, { details: { status }, retryable: true });
  }

  /** Throws RegistryAwayError when there is no answer, or not all of it. */
  async #exchange(path: string, options: Parameters<typeof request>[1]) {
    try {
      const answer = await request(`${this.#base}${path}`, options);
      return { status: answer.statusCode, headers: answer.headers, body: await text(answer.body) };
    } catch (error) {
      this.#signal.throwIfAborted();
      throw new RegistryAwayError(`The registry does not answer: ${(error as Error).message}`, error);
    }
  }
}
