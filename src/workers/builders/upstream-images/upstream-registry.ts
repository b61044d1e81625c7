import { InvalidChecksum, NetworkError, ValidationError } from '../../../domain/errors.ts';
import type { Digest, StoredBlob } from '../../../domain/storage/blob-store.ts';
import { digestOf } from '../../../domain/storage/digest-of.ts';
import { basicAuthorization } from '../../downloads/credentials.ts';
import { type Destination, destinationOf } from '../../downloads/destination.ts';
import type { DocumentJob, FetchContext, FetchedDocument, FileJob } from '../../downloads/fetcher.ts';
import { TransferError } from '../../downloads/http-get.ts';
import { nameText } from '../image-reference.ts';
import type { Origin } from './origins.ts';

/** The downloads of the process. */
export interface Downloads {
  document(job: DocumentJob): Promise<FetchedDocument>;
  file(job: FileJob): Promise<{ blob: StoredBlob }>;
}

export interface UpstreamManifest {
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
}

/** The registry has answered, and does not give the image. */
export class ImageRefused extends Error {}

/** Tokens that are good for a while, by what they open. */
export class UpstreamTokens {
  readonly #tokens = new Map<string, { authorization: string; until: number }>();
  readonly #coming = new Map<string, Promise<void>>();

  find(key: string): string | null {
    const found = this.#tokens.get(key);
    if (found && found.until > Date.now()) return found.authorization;
    this.#tokens.delete(key);
    return null;
  }

  keep(key: string, authorization: string, seconds: number): void {
    if (this.#tokens.size >= MOST_TOKENS) this.#tokens.clear();
    // A little less, so that none ends on its way.
    this.#tokens.set(key, { authorization, until: Date.now() + seconds * 900 });
  }

  /** Whoever needs the same at the same time waits for it; when it fails for who came first, everybody tries alone. */
  async fetchOnce(key: string, fetchToken: () => Promise<void>): Promise<void> {
    const coming = this.#coming.get(key);
    if (
      coming &&
      (await coming.then(
        () => true,
        () => false,
      ))
    )
      return;
    const own = fetchToken();
    this.#coming.set(key, own);
    try {
      await own;
    } finally {
      if (this.#coming.get(key) === own) this.#coming.delete(key);
    }
  }

  /** One that was refused; another build may have got a new one since. */
  forget(key: string, authorization: string | null): void {
    if (this.#tokens.get(key)?.authorization === authorization) this.#tokens.delete(key);
  }
}

/** A Dockerfile may name a host that is none: who has written it does not wait long. */
const RETRIES_UNREACHABLE = 1;
const MOST_TOKENS = 1000;
const DEFAULT_TOKEN_SECONDS = 60;
const LONGEST_TOKEN_SECONDS = 3600;
const TOKEN_BYTES = 1024 * 1024;
const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Reads one image of one registry, with the credentials that it asks for (oci-registry.md 2, from the other side). */
export class UpstreamRegistry {
  readonly #origin: Origin;
  readonly #downloads: Downloads;
  readonly #tokens: UpstreamTokens;
  readonly #context: FetchContext;
  readonly #key: string;

  constructor(options: {
    origin: Origin;
    downloads: Downloads;
    tokens: UpstreamTokens;
    context: FetchContext;
  }) {
    const { origin, downloads, tokens, context } = options;
    this.#origin = origin;
    this.#downloads = downloads;
    this.#tokens = tokens;
    this.#context = context;
    this.#key = JSON.stringify([origin.endpoint, origin.path, origin.credentials]);
  }

  /**
   * What the tag is on just now; null: the registry says so only together with the manifest. Throws ImageRefused,
   * NetworkError.
   */
  async digestOf(tag: string, retries?: number): Promise<Digest | null> {
    const { status, headers } = await this.#read(`manifests/${tag}`, {
      method: 'HEAD',
      maxBytes: 0,
      accept: [400, 404, 405],
      ...(retries !== undefined && { retries }),
    });
    if (status === 404) throw new ImageRefused(`there is no tag "${tag}"`);
    const digest = headers['docker-content-digest'];
    return typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest) ? (digest as Digest) : null;
  }

  /** Byte for byte, and verified where a digest is asked for. Throws ImageRefused, NetworkError, InvalidChecksum. */
  async manifest(reference: string, maxBytes: number): Promise<UpstreamManifest> {
    const { status, contentType, body } = await this.#read(`manifests/${reference}`, {
      maxBytes,
      accept: [404],
    });
    if (status === 404) throw new ImageRefused(`there is no manifest "${reference}"`);
    const digest = digestOf(body);
    if (reference.includes(':') && reference !== digest) {
      throw new InvalidChecksum('checksum-mismatch', `The manifest ${reference} has the digest ${digest}`);
    }
    return { digest, mediaType: contentType.split(';', 1)[0]!.trim().toLowerCase(), bytes: body };
  }

  /** Into the blob store, not synced yet. Throws NetworkError, InvalidChecksum, ValidationError. */
  async blob(
    wanted: Pick<FileJob, 'maxBytes' | 'blobs' | 'onBytes'> & { digest: Digest },
  ): Promise<StoredBlob> {
    const { digest, ...rest } = wanted;
    const [algorithm, hex] = digest.split(':') as ['sha256', string];
    const job = {
      ...rest,
      fileName: digest,
      url: this.#url(`blobs/${digest}`),
      expected: [{ algorithm, hex }],
      algorithms: [],
      ...this.#context,
    };
    const fetched = async (authorization: string | null): Promise<StoredBlob> =>
      (await this.#downloads.file({ ...job, destination: this.#destination(job.url, authorization) })).blob;
    const authorization = this.#tokens.find(this.#key);
    try {
      return await fetched(authorization);
    } catch (error) {
      // The token has ended while others were fetched.
      if (!(error instanceof NetworkError) || error.details.reason !== 'status 401') throw error;
      this.#tokens.forget(this.#key, authorization);
      await this.#read(`blobs/${digest}`, { method: 'HEAD', maxBytes: 0, accept: [404, 405] });
      return await fetched(this.#tokens.find(this.#key));
    }
  }

  async #read(
    path: string,
    job: Pick<DocumentJob, 'maxBytes' | 'accept' | 'method' | 'retries'>,
  ): Promise<FetchedDocument> {
    for (let isSecond = false; ; isSecond = true) {
      const authorization = this.#tokens.find(this.#key);
      const answer = await this.#downloads.document({
        ...job,
        ...this.#context,
        retriesUnreachable: RETRIES_UNREACHABLE,
        accept: [...job.accept, 401, 403],
        destination: this.#destination(this.#url(path), authorization),
      });
      if (answer.status === 403 || (answer.status === 401 && isSecond)) throw this.#refused();
      if (answer.status !== 401) return answer;
      this.#tokens.forget(this.#key, authorization);
      const challenge = answer.headers['www-authenticate'];
      if (this.#tokens.find(this.#key) === null) {
        await this.#tokens.fetchOnce(this.#key, () => this.#authorize(challenge));
      }
    }
  }

  #refused(): ImageRefused {
    const { credentials } = this.#origin;
    return new ImageRefused(
      credentials === null
        ? 'the registry asks for credentials, or has no such image'
        : 'the registry does not accept our credentials, or has no such image',
    );
  }

  /** Does what the challenge says. */
  async #authorize(header: string | undefined): Promise<void> {
    const { credentials } = this.#origin;
    const challenges = parseChallenges(header ?? '');
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) return await this.#fetchToken(bearer.parameters);
    if (!challenges.some(({ scheme }) => scheme === 'basic') || credentials === null) throw this.#refused();
    this.#tokens.keep(this.#key, basicAuthorization(credentials).authorization, LONGEST_TOKEN_SECONDS);
  }

  async #fetchToken({ realm, service, scope }: Record<string, string>): Promise<void> {
    const { endpoint, path, credentials } = this.#origin;
    if (realm === undefined || !URL.canParse(realm))
      throw new ImageRefused('its challenge names no token service');
    const url = new URL(realm);
    if (url.protocol !== 'https:' && new URL(endpoint).protocol === 'https:') {
      throw new ImageRefused(`its token service is not on https: ${url.origin}`);
    }
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', scope ?? `repository:${path}:pull`);
    const { status, body } = await this.#downloads.document({
      ...this.#context,
      destination: this.#destination(
        url.href,
        credentials === null ? null : basicAuthorization(credentials).authorization,
      ),
      maxBytes: TOKEN_BYTES,
      retriesUnreachable: RETRIES_UNREACHABLE,
      accept: [400, 401, 403, 404],
    });
    const token = status === 200 ? tokenOf(body) : null;
    if (token === null) throw this.#refused();
    this.#tokens.keep(this.#key, `Bearer ${token.text}`, token.seconds);
  }

  #url(path: string): string {
    return `${this.#origin.endpoint}/v2/${this.#origin.path}/${path}`;
  }

  #destination(url: string, authorization: string | null): Destination {
    return destinationOf(url, {
      headers: { accept: MANIFEST_TYPES, ...(authorization !== null && { authorization }) },
      trusted: this.#origin.isTrusted,
    });
  }
}

interface Challenge {
  /** In lower case. */
  scheme: string;
  parameters: Record<string, string>;
}

/** RFC 9110 11.6.1: several in one header, each with its parameters. */
function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const token = /\s*,?\s*([\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  for (let found = token.exec(header); found; found = token.exec(header)) {
    const [, word = '', quoted, plain] = found;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) challenges.push({ scheme: word.toLowerCase(), parameters: {} });
    else if (challenges.length > 0) challenges.at(-1)!.parameters[word.toLowerCase()] = value;
  }
  return challenges;
}

function tokenOf(body: Buffer): { text: string; seconds: number } | null {
  try {
    const { token, access_token, expires_in } = JSON.parse(body.toString('utf8'));
    const text = token ?? access_token;
    if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) return null;
    const seconds = Number.isFinite(expires_in) ? Math.max(expires_in, 1) : DEFAULT_TOKEN_SECONDS;
    return { text, seconds: Math.min(seconds, LONGEST_TOKEN_SECONDS) };
  } catch {
    return null;
  }
}

/** What is said of an origin that has not given the image. */
export function problemOf(origin: Origin, error: Error): string {
  const name = nameText(origin);
  const isThere =
    !(error instanceof NetworkError) || !(error.cause instanceof TransferError && error.cause.isUnreachable);
  if (isThere) return `${name}: ${error.message}`;
  return `${name}: the registry ${origin.endpoint} cannot be reached: ${error.details.reason}`;
}

/** Whether the other side may answer differently soon: it was not there, or not itself. */
export function isAway(error: unknown): boolean {
  return !(error instanceof ImageRefused) && !(error instanceof ValidationError);
}
