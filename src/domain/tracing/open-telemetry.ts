import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Span as ApiSpan,
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { version } from '../version.ts';
import type { Span, SpanAttributes } from './span.ts';
import type { TraceSettings } from './trace-settings.ts';
import type { SpanOptions, Tracing } from './tracing.ts';

const CLOSE_MS = 2_000;
const TOLD_EVERY_MS = 60_000;

/**
 * Traces by OpenTelemetry's library, sent by OTLP over HTTP in batches. Nothing of it is global, and nothing waits for it:
 * what a collector does not take is dropped.
 */
export class OpenTelemetry implements Tracing {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #closeMs: number;

  constructor({
    serviceName,
    settings,
    onLost,
    url,
    closeMs = CLOSE_MS,
  }: {
    serviceName: string;
    settings: TraceSettings;
    onLost: (error: Error | undefined) => void;
    url?: string;
    closeMs?: number;
  }) {
    this.#closeMs = closeMs;
    const named = resourceFromAttributes({ 'service.name': serviceName, 'service.version': version });
    const exporter = tellingOfLoss(new OTLPTraceExporter(url === undefined ? {} : { url }), onLost);
    this.#provider = new TracerProvider({
      resource: defaultResource()
        .merge(named)
        .merge(detectResources({ detectors: [envDetector] })),
      sampler: samplerOf(settings),
      spanProcessors: [new BatchSpanProcessor({ exporter, ...settings.batches })],
    });
    this.#tracer = this.#provider.getTracer('stowage', version);
  }

  start(name: string, { kind, parent, attributes }: SpanOptions): Span {
    const context = parent === null ? null : spanContextOf(parent);
    return new RecordedSpan(
      this.#tracer,
      context === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, context),
      { name, kind: kind === 'server' ? SpanKind.SERVER : SpanKind.CONSUMER, attributes },
    );
  }

  async close(): Promise<void> {
    const abort = new AbortController();
    const ending = this.#provider.shutdown().catch(() => undefined);
    await Promise.race([ending, sleep(this.#closeMs, null, { signal: abort.signal }).catch(() => undefined)]);
    abort.abort();
  }
}

class RecordedSpan implements Span {
  readonly #tracer: Tracer;
  readonly #context: Context;
  readonly #span: ApiSpan;

  constructor(
    tracer: Tracer,
    parent: Context,
    { name, kind, attributes }: { name: string; kind: SpanKind; attributes: SpanAttributes },
  ) {
    this.#tracer = tracer;
    this.#span = tracer.startSpan(name, { kind, attributes }, parent);
    this.#context = trace.setSpan(parent, this.#span);
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags & TraceFlags.SAMPLED ? '01' : '00'}`;
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  get spanId(): string {
    return this.#span.spanContext().spanId;
  }

  child(name: string, attributes: SpanAttributes = {}): Span {
    return new RecordedSpan(this.#tracer, this.#context, { name, kind: SpanKind.INTERNAL, attributes });
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  fail(type: string): void {
    this.#span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
  }

  end(at?: Date): void {
    this.#span.end(at);
  }
}

/** W3C Trace Context, section 3.2; versions to come may have more behind it. null: it is not one. */
function spanContextOf(traceparent: string): SpanContext | null {
  const [, version, traceId, spanId, flags, rest] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(traceparent) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return null;
  const traceFlags = Number.parseInt(flags!, 16) & TraceFlags.SAMPLED;
  const context: SpanContext = { traceId: traceId!, spanId: spanId!, traceFlags, isRemote: true };
  return isSpanContextValid(context) ? context : null;
}

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  const [, name] = /^(?:parentbased_)?(.+)$/.exec(sampler)!;
  const root =
    name === 'always_off'
      ? new AlwaysOffSampler()
      : name === 'always_on'
        ? new AlwaysOnSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function tellingOfLoss(exporter: SpanExporter, onLost: (error: Error | undefined) => void): SpanExporter {
  let nextAt = 0;
  const tell = (error: Error | undefined): void => {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + TOLD_EVERY_MS;
    onLost(error);
  };
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined) tell(result.error);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  };
}
