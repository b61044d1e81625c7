import type { Limits } from '../../config.ts';
import { ValidationError } from '../../errors.ts';

/** Small archives may expand this far whatever their ratio: source texts repeat themselves. */
const ALWAYS_ALLOWED = 64 * 1024 * 1024;

/** Counts what comes out of an archive and stops bombs (prefetch.md 12). */
export class UnpackLimits {
  readonly #limits: Limits;
  readonly #maxRatioBytes: number;
  #entries = 0;
  #bytes = 0;

  constructor(limits: Limits, archiveBytes: number) {
    this.#limits = limits;
    this.#maxRatioBytes = Math.max(ALWAYS_ALLOWED, archiveBytes * limits.compressionRatio);
  }

  countEntries(count: number): void {
    this.#entries += count;
    if (this.#entries > this.#limits.entries) throw rejected(`has more than ${this.#limits.entries} entries`);
  }

  countBytes(count: number): void {
    this.#bytes += count;
    if (this.#bytes > this.#limits.unpackedBytes) {
      throw rejected(`unpacks to more than ${this.#limits.unpackedBytes} bytes`);
    }
    if (this.#bytes > this.#maxRatioBytes) {
      throw rejected(`unpacks to more than ${this.#limits.compressionRatio} times its size`);
    }
  }

  /** Passes a stream on and counts it. */
  async *counted(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      this.countBytes(chunk.byteLength);
      yield chunk;
    }
  }
}

function rejected(what: string): ValidationError {
  return new ValidationError('package-rejected', `The archive ${what}`);
}
