import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import { digestOf } from '../../domain/storage/digest-of.ts';
import type { ImageDestination } from './image-builder.ts';
import { isAway, RegistryAwayError } from './registry-away.ts';

export interface ImageManifest {
  config: { digest: string; size: number };
  layers: { size: number }[];
  annotations?: Record<string, string>;
}

export interface ImageConfig {
  created?: string;
  history?: { created?: string; comment?: string; empty_layer?: boolean }[];
}

const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** The few calls of `/v2` that a builder makes itself, on one image and with the build's token. */
export class RegistryCalls {
  readonly #destination: Pick<ImageDestination, 'url' | 'credentials'>;
  readonly #base: string;
  readonly #signal: AbortSignal;

  constructor(destination: Pick<ImageDestination, 'url' | 'credentials'>, path: string, signal: AbortSignal) {
    this.#destination = destination;
    this.#base = `${destination.url.replace(/\/$/, '')}/v2/${path}`;
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

  async putManifest(tag: string, bytes: Buffer, mediaType: string): Promise<void> {
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
    const message = `The registry answers ${method} ${path} with status ${status}`;
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
