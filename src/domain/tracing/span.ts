import { AsyncLocalStorage } from 'node:async_hooks';

/** How values get into a trace: never texts that clients sent, never URLs with their credentials. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** A part of a trace: something that took time. */
export interface Span {
  /** Carries the trace to other processes (W3C Trace Context, `traceparent`). */
  readonly traceparent: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Begins a part of this one. */
  child(name: string, attributes?: SpanAttributes): Span;
  set(attributes: SpanAttributes): void;
  /** It did not do what it should; `type` is a code or the name of a class, no text. */
  fail(type: string): void;
  /** Once. `at`: when it was over, if that is not now. */
  end(at?: Date): void;
}

/** Nothing is in it, and looking costs next to nothing, while traces are off. */
const current = new AsyncLocalStorage<Span>();

/** The span that the caller works in; null: it is not traced. */
export function currentSpan(): Span | null {
  return current.getStore() ?? null;
}

/** Runs `work` in a span that somebody else ends; null: just runs it. */
export function withinSpan<T>(span: Span | null, work: () => T): T {
  return span === null ? work() : current.run(span, work);
}

/** Runs `work` as a part of the current span, if there is one. */
export async function inSpan<T>(
  name: string,
  attributes: SpanAttributes,
  work: (span: Span | null) => Promise<T>,
): Promise<T> {
  const span = currentSpan()?.child(name, attributes) ?? null;
  return span === null ? await work(null) : await untilOver(span, () => work(span));
}

/** Runs `work` in a span, and ends that. */
export async function untilOver<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await withinSpan(span, work);
  } catch (error) {
    span.fail(typeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** A listener that is called outside of the current span and yet works in it. */
export function boundToSpan<Arguments extends unknown[]>(
  listener: (...given: Arguments) => void,
): (...given: Arguments) => void {
  const span = currentSpan();
  return span === null ? listener : (...given) => withinSpan(span, () => listener(...given));
}

/** What every line of a log says of the span that it was written in. */
export function spanOfLogLine(): { trace_id?: string; span_id?: string } {
  const span = currentSpan();
  return span === null ? {} : { trace_id: span.traceId, span_id: span.spanId };
}

/** Its code or class: texts of errors may quote anything. */
export function typeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  for (const type of [code, name]) if (typeof type === 'string' && /^[\w-]{1,60}$/.test(type)) return type;
  return 'unknown';
}
