import { KeptResult, withTimeout } from '../../domain/kept-result.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import type { MetricFamily } from './prometheus-text.ts';
import type { Readiness } from './readiness.ts';

/** However often somebody scrapes. */
const KEPT_MS = 1_000;

export interface ReadinessMetricsOptions {
  readiness: () => Promise<Readiness>;
  blobs: Partial<Pick<BlobStore, 'freeBytes'>>;
  /** Of the certificate that this gateway shows; null: it speaks no TLS. */
  certificateExpiresAt: Date | null;
  timeoutMs: number;
}

/** What `/readyz` says, and what will make it say no one day. */
export function readinessMetrics(options: ReadinessMetricsOptions): () => Promise<MetricFamily[]> {
  const { readiness, blobs, certificateExpiresAt, timeoutMs } = options;
  const looked = new KeptResult(() => Promise.all([readiness(), freeBytes(blobs, timeoutMs)]), KEPT_MS);
  return async () => {
    const [{ checks }, free] = await looked.get();
    return [
      {
        name: 'stowage_ready',
        type: 'gauge',
        help: 'Whether this gateway can use what it needs, as /readyz says.',
        samples: Object.entries(checks).map(([check, { ok }]) => ({ labels: { check }, value: Number(ok) })),
      },
      {
        name: 'stowage_blob_store_free_bytes',
        type: 'gauge',
        help: 'Room on the disk of the blobs; not there when they are elsewhere.',
        samples: free === null ? [] : [{ value: free }],
      },
      {
        name: 'stowage_certificate_expiry_timestamp_seconds',
        type: 'gauge',
        help: 'When the TLS certificate of this gateway ends; not there without one.',
        samples: certificateExpiresAt === null ? [] : [{ value: certificateExpiresAt.getTime() / 1000 }],
      },
    ];
  };
}

async function freeBytes(blobs: ReadinessMetricsOptions['blobs'], timeoutMs: number): Promise<number | null> {
  return await withTimeout(Promise.resolve(blobs.freeBytes?.() ?? null), timeoutMs).catch(() => null);
}
