import { createHash } from 'node:crypto';
import { InvalidChecksum, NetworkError } from '../../src/domain/errors.ts';
import type {
  Artifact,
  ArtifactRequest,
  ArtifactStore,
  DerivedArtifact,
  HashAlgorithm,
} from '../../src/workers/downloads/artifact-store.ts';
import type { MemoryBlobStore } from './memory-blob-store.ts';

/** An artifact store that fetches over HTTP and verifies, without retries, limits or a database. */
export class PlainArtifactStore implements ArtifactStore {
  readonly artifacts = new Map<string, Artifact>();
  /** One item for each HTTP fetch. */
  readonly fetched: ArtifactRequest[] = [];
  /** The length of each `fetchAll` call. */
  readonly batches: number[] = [];
  private readonly blobs: MemoryBlobStore;

  constructor(blobs: MemoryBlobStore) {
    this.blobs = blobs;
  }

  async fetchAll(requests: readonly ArtifactRequest[]): Promise<Artifact[]> {
    this.batches.push(requests.length);
    return Promise.all(requests.map((request) => this.fetch(request)));
  }

  async fetch(request: ArtifactRequest): Promise<Artifact> {
    const known = this.artifacts.get(request.key);
    if (known) return { ...known, url: request.url, cached: true };
    this.fetched.push(request);
    const url = request.upstream?.url ?? request.url;
    const response = await fetch(url, { headers: request.upstream?.headers ?? {} }).catch((cause) => {
      throw new NetworkError('fetch-failed', `Could not download ${request.fileName} from ${url}`, { cause });
    });
    if (!response.ok) {
      throw new NetworkError(
        'fetch-failed',
        `Could not download ${request.fileName} from ${url}: status ${response.status}`,
      );
    }
    const body = Buffer.from(await response.arrayBuffer());
    verify(request, body);
    const stored = this.blobs.put(body);
    const metadata = request.inspect ? await request.inspect.run(() => this.blobs.read(stored.digest)) : null;
    const digests = digestsOf(body, [
      ...(request.record ?? []),
      ...request.expected.map((digest) => digest.algorithm),
    ]);
    const artifact = { ...stored, key: request.key, url: request.url, digests, metadata, cached: false };
    this.artifacts.set(request.key, artifact);
    return artifact;
  }

  async derive(derived: DerivedArtifact): Promise<Artifact> {
    const known = this.artifacts.get(derived.key);
    if (known) return { ...known, cached: true };
    const { content, metadata = null } = await derived.produce();
    const stored = await this.blobs.write(content);
    const digests = digestsOf(await this.blobs.readWhole(stored.digest), derived.record ?? []);
    const artifact = { ...stored, key: derived.key, url: derived.url, digests, metadata, cached: false };
    this.artifacts.set(derived.key, artifact);
    return artifact;
  }

  async fetchDocument(request: Parameters<ArtifactStore['fetchDocument']>[0]) {
    const response = await fetch(request.url, { headers: request.headers ?? {} });
    if (!response.ok && !request.accept?.includes(response.status)) {
      throw new NetworkError('fetch-failed', `GET ${request.url}: status ${response.status}`);
    }
    return {
      status: response.status,
      contentType: response.headers.get('content-type') ?? '',
      body: Buffer.from(await response.arrayBuffer()),
      url: response.url,
    };
  }
}

function verify(request: ArtifactRequest, body: Buffer): void {
  const [first] = request.expected;
  if (!first) return;
  const hash = (algorithm: HashAlgorithm) => createHash(algorithm).update(body).digest('hex');
  if (request.expected.some(({ algorithm, hex }) => hash(algorithm) === hex)) return;
  throw new InvalidChecksum(
    'checksum-mismatch',
    `The file ${request.fileName} has an unexpected checksum value, ` +
      `expected ${first.hex} but computed ${hash(first.algorithm)}`,
  );
}

function digestsOf(body: Buffer, algorithms: readonly HashAlgorithm[]): Artifact['digests'] {
  const digests: Artifact['digests'] = { sha256: createHash('sha256').update(body).digest('hex') };
  for (const algorithm of algorithms) digests[algorithm] = createHash(algorithm).update(body).digest('hex');
  return digests;
}
