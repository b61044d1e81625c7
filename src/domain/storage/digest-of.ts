import { createHash } from 'node:crypto';
import type { Digest } from './blob-store.ts';

/** Of what is in memory. */
export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
