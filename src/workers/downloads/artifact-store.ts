import type { Readable } from 'node:stream';
import type { StoredBlob } from '../../domain/storage/blob-store.ts';

export type HashAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512';

export interface ExpectedDigest {
  algorithm: HashAlgorithm;
  /** Lower-case hex. */
  hex: string;
}

/** A file to fetch over HTTP. */
export interface ArtifactRequest {
  /**
   * What the file is, across requests and for ever, e.g. `npm:lodash@4.17.21` or `url:https://…`. A file that is in the
   * store under its key and satisfies `expected` is not fetched again.
   */
  key: string;
  /** The URL that is recorded and reported. */
  url: string;
  /**
   * Where it really is, when an upstream set by the operator serves it (npm registry, index, proxy): such URLs may be on
   * private addresses. Absent: `url` itself, rewritten by STOWAGE_URL_REWRITES, guarded by the address policy.
   */
  upstream?: { url: string; headers?: Record<string, string> };
  /** The content must match at least one; empty: nothing is known beforehand. */
  expected: readonly ExpectedDigest[];
  /** For messages: `The file F has an unexpected checksum value, …`. */
  fileName: string;
  /** Hash with these besides sha256, so that reports can name them. */
  record?: readonly HashAlgorithm[];
  /** Refuse longer bodies (default: the settings' limit for one file). */
  maxBytes?: number;
  /** No TLS verification for this URL (pip's --trusted-host). */
  insecure?: boolean;
  /**
   * Looks into the file once, right after it was fetched and before it counts as stored; the result is kept with it.
   * A throw rejects the file. `name` changes when the meaning of the result changes.
   */
  inspect?: { name: string; run(open: () => Readable): Promise<unknown> };
  /** Called when the bytes are in the store, verified; that others can find them, and after a crash, comes a little later. */
  onStored?: (blob: StoredBlob) => void;
}

export interface Artifact extends StoredBlob {
  key: string;
  url: string;
  /** Hex digests known of this file; sha256 always. */
  digests: Partial<Record<HashAlgorithm, string>> & { sha256: string };
  /** Result of `inspect`, or what `derive` gave. */
  metadata: unknown;
  /** True when nothing was fetched for it. */
  cached: boolean;
}

/** A file that Stowage makes itself from verified input, e.g. a repacked git dependency. */
export interface DerivedArtifact {
  key: string;
  url: string;
  record?: readonly HashAlgorithm[];
  /** Called only when the store does not have the key. Must be deterministic. */
  produce(): Promise<{ content: Readable | AsyncIterable<Uint8Array> | Uint8Array; metadata?: unknown }>;
}

/**
 * Dependency files, kept by key in the blob store and fetched by the process-wide scheduler: global and per-host limits,
 * retries, resumption, one fetch for concurrent callers (DESIGN section 2).
 */
export interface ArtifactStore {
  /**
   * Fetches what is not there yet, side by side; resolves when all are stored, in the order of the requests. The first
   * failure aborts the rest and is thrown (InvalidChecksum `checksum-mismatch`, NetworkError `fetch-failed`, …).
   */
  fetchAll(requests: readonly ArtifactRequest[]): Promise<Artifact[]>;
  fetch(request: ArtifactRequest): Promise<Artifact>;
  derive(artifact: DerivedArtifact): Promise<Artifact>;
  /** Small documents that change (index pages, packuments): never cached by key, size capped, same retries. */
  fetchDocument(request: {
    url: string;
    headers?: Record<string, string>;
    maxBytes?: number;
    /** True for upstreams set by the operator. */
    trusted: boolean;
    /** Statuses that are answers, not errors (e.g. 404). */
    accept?: readonly number[];
  }): Promise<{ status: number; contentType: string; body: Buffer; url: string }>;
}
