import { DomainError, InvalidFileFormat, NotFoundError } from '../../domain/errors.ts';
import { type Address, addressOf, algorithmOf, isAddress } from '../../domain/registry/reference.ts';

export interface RegistryAccess {
  /** Base URL, without `/v2`. */
  url: string;
  /** For the authorization header of the first request, and where tokens are given out. */
  authorization: string | null;
}

/** A descriptor as a manifest or a list of referrers has it; nothing of it is believed yet. */
export interface ForeignDescriptor {
  mediaType?: unknown;
  artifactType?: unknown;
  digest?: unknown;
  size?: unknown;
}

export interface ForeignManifest {
  artifactType?: unknown;
  config?: ForeignDescriptor;
  layers?: ForeignDescriptor[];
  manifests?: ForeignDescriptor[];
  subject?: ForeignDescriptor;
}

const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
const LARGEST_MANIFEST = 4 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

/** Reads from any registry of the OCI distribution specification; whatever has a digest is verified while it is read. */
export class RegistryClient {
  readonly #url: string;
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #login: string | null;
  #authorization: string | null;

  constructor({ url, authorization }: RegistryAccess, name: string, signal: AbortSignal) {
    this.#url = url.replace(/\/+$/, '');
    this.#name = name;
    this.#signal = signal;
    this.#login = authorization;
    this.#authorization = authorization;
  }

  /** Throws NotFoundError. */
  async manifest(reference: string): Promise<{ address: Address; manifest: ForeignManifest }> {
    const found = await this.#find(`manifests/${reference}`, { accept: MANIFESTS });
    if (found === null) {
      const separator = isAddress(reference) ? '@' : ':';
      throw new NotFoundError(`There is no image ${this.#name}${separator}${reference} at ${this.#url}`);
    }
    const bytes = await this.#read(found, LARGEST_MANIFEST);
    const address = addressOf(bytes, isAddress(reference) ? algorithmOf(reference) : 'sha256');
    if (isAddress(reference)) requireSame(reference, address);
    return { address, manifest: this.#parse(bytes, reference) };
  }

  /** Over the API of OCI 1.1, and where a registry does not have it, over the tag that stands in for it. */
  async referrers(address: Address): Promise<ForeignDescriptor[]> {
    const found =
      (await this.#find(`referrers/${address}`)) ??
      (await this.#find(`manifests/${address.replace(':', '-')}`, { accept: MANIFESTS }));
    if (found === null) return [];
    const { manifests } = this.#parse(await this.#read(found, LARGEST_MANIFEST), 'the list of referrers');
    return Array.isArray(manifests) ? manifests.filter((one) => typeof one === 'object' && one !== null) : [];
  }

  /** Throws NotFoundError; InvalidFileFormat for more bytes than that. */
  async blob(address: Address, mostBytes: number): Promise<Buffer> {
    const found = await this.#find(`blobs/${address}`);
    if (found === null) throw new NotFoundError(`The blob ${address} is not at ${this.#url}`);
    const bytes = await this.#read(found, mostBytes);
    requireSame(address, addressOf(bytes, algorithmOf(address)));
    return bytes;
  }

  /** null: 404. */
  async #find(path: string, headers: Record<string, string> = {}): Promise<Response | null> {
    const url = `${this.#url}/v2/${this.#name}/${path}`;
    let response = await this.#send(url, headers);
    if (response.status === 401) {
      const token = await this.#token(response.headers.get('www-authenticate') ?? '');
      if (token !== null) {
        this.#authorization = `Bearer ${token}`;
        response = await this.#send(url, headers);
      }
    }
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status === 404) return null;
    if (response.status === 401 || response.status === 403) {
      throw new DomainError('forbidden', `${this.#url} does not allow to read ${this.#name}`, {
        hint: 'Log in with docker, podman or skopeo, or give --token for a Stowage server.',
      });
    }
    throw new DomainError('fetch-failed', `${url} answered with status ${response.status}`);
  }

  /** Distribution's token protocol; null: the registry asks for something else. */
  async #token(challenge: string): Promise<string | null> {
    const parameter = (name: string) => new RegExp(`${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
    const realm = parameter('realm');
    if (!/^bearer /i.test(challenge) || realm === undefined || !URL.canParse(realm)) return null;
    const url = new URL(realm);
    for (const name of ['service', 'scope']) {
      const value = parameter(name);
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const response = await this.#send(url.href, {}, this.#login);
    if (!response.ok) {
      await response.body?.cancel();
      return null;
    }
    const answer = this.#parse(await this.#read(response, LARGEST_MANIFEST), 'the token') as {
      token?: unknown;
      access_token?: unknown;
    };
    const token = answer.token ?? answer.access_token;
    return typeof token === 'string' ? token : null;
  }

  async #send(
    url: string,
    headers: Record<string, string>,
    authorization = this.#authorization,
  ): Promise<Response> {
    try {
      return await fetch(url, {
        // The platform drops the authorization when a redirect leads to another host.
        headers: { ...headers, ...(authorization !== null && { authorization }) },
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
    } catch (cause) {
      if (this.#signal.aborted) throw this.#signal.reason;
      const { cause: inner, message } = cause as Error & { cause?: { code?: string; message?: string } };
      throw new DomainError(
        'fetch-failed',
        `No answer from ${new URL(url).origin}: ${inner?.code ?? inner?.message ?? message}`,
        {
          cause,
          retryable: true,
        },
      );
    }
  }

  async #read(response: Response, mostBytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of response.body ?? []) {
        size += chunk.length;
        if (size > mostBytes) {
          throw new InvalidFileFormat(
            'unexpected-format',
            `${response.url} gives more than ${mostBytes} bytes`,
          );
        }
        chunks.push(chunk);
      }
    } catch (cause) {
      if (cause instanceof DomainError) throw cause;
      if (this.#signal.aborted) throw this.#signal.reason;
      throw new DomainError('fetch-failed', `The answer of ${response.url} broke off`, { cause });
    }
    return Buffer.concat(chunks);
  }

  #parse(bytes: Buffer, what: string): ForeignManifest {
    try {
      const value: unknown = JSON.parse(bytes.toString('utf8'));
      if (typeof value === 'object' && value !== null) return value;
    } catch {
      // Said below.
    }
    throw new InvalidFileFormat('unexpected-format', `${what} at ${this.#url} is not JSON`);
  }
}

function requireSame(expected: Address, actual: Address): void {
  if (expected === actual) return;
  throw new DomainError('checksum-mismatch', `${expected} has the digest ${actual}`, {
    details: { expected, actual },
  });
}
