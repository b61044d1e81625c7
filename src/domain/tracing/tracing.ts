import type { Settings } from '../config.ts';
import type { Span, SpanAttributes } from './span.ts';

/** Where the traces of a process begin. Off by default, and then nowhere: there is none. */
export interface Tracing {
  start(name: string, options: SpanOptions): Span;
  /** Sends what is left, for so long at most. */
  close(): Promise<void>;
}

export interface SpanOptions {
  kind: 'server' | 'consumer';
  /** `traceparent` of what asked for it; anything else, and null, begins a trace. */
  parent: string | null;
  attributes: SpanAttributes;
}

interface TracingOptions {
  /** Unless OTEL_SERVICE_NAME says otherwise. */
  serviceName: string;
  environment: Record<string, string | undefined>;
  /** Spans that nobody took are lost; told at most once a minute. */
  onLost: (error: Error | undefined) => void;
  /** Of the collector; absent: as OTEL_EXPORTER_OTLP_ENDPOINT and its like say. */
  url?: string;
  /** How long the end of a process may wait for the collector. */
  closeMs?: number;
}

/** null: traces are off, and nothing of what makes them is loaded. Throws InvalidInputError for wrong OTEL_* variables. */
export async function openTracing(
  { traces }: Pick<Settings, 'traces'>,
  options: TracingOptions,
): Promise<Tracing | null> {
  if (!traces) return null;
  const [{ OpenTelemetry }, { readTraceSettings }] = await Promise.all([
    import('./open-telemetry.ts'),
    import('./trace-settings.ts'),
  ]);
  return new OpenTelemetry({ ...options, settings: readTraceSettings(options.environment) });
}
