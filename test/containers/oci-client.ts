import { ConnectionLostError } from '../../src/cli/client/stowage-client.ts';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_MANIFEST,
  sha256,
} from '../support/registry-stack.ts';
import { patiently } from './patience.ts';

const CHUNK_BYTES = 512 * 1024;
const ACCEPT = [OCI_MANIFEST, 'application/vnd.oci.image.index.v1+json'].join(', ');

/** A client of the OCI distribution specification that goes on where it was when its connection or its server is gone. */
export class OciClient {
  readonly #url: string;
  readonly #token: string;

  constructor({ url, token }: { url: string; token: string }) {
    this.#url = url;
    this.#token = token;
  }

  /** An image with these layers; returns the digest of its manifest. */
  async push(name: string, tag: string, layers: readonly Buffer[]): Promise<string> {
    const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', of: `${name}:${tag}` }));
    for (const blob of [...layers, config]) await this.#pushBlob(name, blob);
    const manifest = JSON.stringify(
      imageManifest({
        config: descriptor(config, OCI_CONFIG),
        layers: layers.map((layer) => descriptor(layer, OCI_LAYER)),
      }),
    );
    const headers = { 'content-type': OCI_MANIFEST };
    await this.#call('PUT', `/v2/${name}/manifests/${tag}`, [201], { headers, body: manifest });
    return sha256(manifest);
  }

  /** Reads an image to its last byte and hashes everything; returns the digest of what the tag is on. */
  async pull(name: string, reference: string): Promise<string> {
    const answer = await this.#call('GET', `/v2/${name}/manifests/${reference}`, [200], {
      headers: { accept: ACCEPT },
    });
    const digest = sha256(answer.body);
    if (answer.headers.get('docker-content-digest') !== digest)
      throw new Error(`${name}:${reference} is not ${digest}`);
    const { manifests = [], layers = [], config } = JSON.parse(String(answer.body)) as Manifest;
    for (const child of manifests)
      await this.#requireDigest(child.digest, await this.pull(name, child.digest));
    for (const blob of [...layers, ...(config ? [config] : [])]) {
      const { body } = await this.#call('GET', `/v2/${name}/blobs/${blob.digest}`, [200]);
      await this.#requireDigest(blob.digest, sha256(body));
    }
    return digest;
  }

  async #requireDigest(expected: string, actual: string): Promise<void> {
    if (actual !== expected) throw new Error(`${expected} has the bytes of ${actual}`);
  }

  async #pushBlob(name: string, bytes: Buffer): Promise<void> {
    const digest = sha256(bytes);
    while (!(await this.#isThere(name, digest))) {
      const begun = await this.#call('POST', `/v2/${name}/blobs/uploads/`, [202]);
      await this.#sendChunks(begun.headers.get('location')!, bytes, digest);
    }
  }

  async #isThere(name: string, digest: string): Promise<boolean> {
    return (await this.#call('HEAD', `/v2/${name}/blobs/${digest}`, [200, 404])).status === 200;
  }

  /** Returns when the blob is there or the upload is gone, of which the server has told in both cases. */
  async #sendChunks(location: string, bytes: Buffer, digest: string): Promise<void> {
    for (let offset = 0; offset < bytes.length; ) {
      const end = Math.min(offset + CHUNK_BYTES, bytes.length);
      await this.#send('PATCH', location, {
        headers: { 'content-range': `${offset}-${end - 1}`, 'content-type': 'application/octet-stream' },
        body: bytes.subarray(offset, end),
      }).catch(() => undefined);
      // Whatever came of that: the server says how far it is.
      const { status, headers } = await this.#call('GET', location, [204, 404]);
      if (status === 404) return;
      const last = Number(/^0-(\d+)$/.exec(headers.get('range') ?? '')![1]);
      // Nothing is told as one byte is; chunks are longer.
      offset = last === 0 ? 0 : last + 1;
    }
    await this.#call('PUT', `${location}?digest=${digest}`, [201, 404, 416]);
  }

  /** Until the server gives one of these statuses. */
  async #call(
    method: string,
    path: string,
    statuses: readonly number[],
    options: Content = {},
  ): Promise<Answer> {
    const { answer } = await patiently(async () => {
      const given = await this.#send(method, path, options);
      // A server that says that it cannot now, or that somebody still holds the upload.
      if (given.status === 503 || given.status === 429)
        throw new ConnectionLostError(this.#url, new Error(String(given.status)));
      return given;
    });
    if (statuses.includes(answer.status)) return answer;
    throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
  }

  async #send(method: string, path: string, { headers = {}, body }: Content): Promise<Answer> {
    try {
      const response = await fetch(new URL(path, this.#url), {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
        ...(body !== undefined && { body: body as BodyInit }),
      });
      return {
        status: response.status,
        headers: response.headers,
        body: Buffer.from(await response.arrayBuffer()),
      };
    } catch (error) {
      throw new ConnectionLostError(this.#url, error);
    }
  }
}

interface Content {
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

interface Answer {
  status: number;
  headers: Headers;
  body: Buffer;
}

interface Manifest {
  manifests?: { digest: string }[];
  layers?: { digest: string }[];
  config?: { digest: string };
}
