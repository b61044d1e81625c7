import { currentSpan, type Span, type SpanAttributes } from '../../domain/tracing/span.ts';

/** All downloads of a step as one span, from the beginning of the first to the end of the last: a file is too little. */
export class DownloadSpan {
  #span: Span | null = null;
  #over = new Date(0);

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#span ??= currentSpan()?.child('download') ?? null;
    if (this.#span === null) return await work();
    try {
      return await work();
    } finally {
      this.#over = new Date();
    }
  }

  /** When the step is over. */
  end(counts: SpanAttributes): void {
    this.#span?.set(counts);
    this.#span?.end(this.#over);
  }
}
