import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { readTraceSettings } from '../../src/domain/tracing/trace-settings.ts';
import type { Tracing } from '../../src/domain/tracing/tracing.ts';
import { openTracing } from '../../src/domain/tracing/tracing.ts';

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  /** null: it begins its trace here. */
  parentSpanId: string | null;
  name: string;
  service: string;
  attributes: Record<string, unknown>;
  isError: boolean;
}

/** Takes traces by OTLP over HTTP, as JSON, like a collector. */
export class TraceCollector {
  readonly url: string;
  /** Everything that was sent, as it came. */
  readonly bodies: unknown[] = [];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, status: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
    server.on('request', async (request, response) => {
      this.bodies.push(await json(request));
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  }

  /** One that answers everything with an error takes nothing. */
  static async start(status = 200): Promise<TraceCollector> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TraceCollector(server, status);
  }

  get spans(): CollectedSpan[] {
    return this.bodies.flatMap((body) =>
      (body as Export).resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map(({ traceId, spanId, parentSpanId, name, attributes, status }) => ({
            traceId,
            spanId,
            parentSpanId: parentSpanId || null,
            name,
            service: valuesOf(resource.attributes)['service.name'] as string,
            attributes: valuesOf(attributes),
            isError: status.code === STATUS_ERROR,
          })),
        ),
      ),
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Traces that go to `url`, with settings of OpenTelemetry. Their end waits for a busy machine. */
export async function testTracing(
  url: string,
  environment: Parameters<typeof readTraceSettings>[0] = {},
  onLost: (error: Error | undefined) => void = () => undefined,
): Promise<Tracing> {
  const tracing = await openTracing(
    { traces: true },
    { serviceName: 'stowage-test', environment, onLost, url, closeMs: 30_000 },
  );
  return tracing!;
}

/** Names below each other: `POST /graphql > mutation Submit`. */
export function pathsOf(spans: readonly CollectedSpan[]): string[] {
  const known = new Map(spans.map((span) => [span.spanId, span]));
  const pathOf = ({ name, parentSpanId }: CollectedSpan): string => {
    const parent = parentSpanId === null ? null : known.get(parentSpanId);
    return parent ? `${pathOf(parent)} > ${name}` : name;
  };
  return spans.map(pathOf).sort();
}

const STATUS_ERROR = 2;

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

interface Export {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        attributes: Attribute[];
        status: { code?: number };
      }[];
    }[];
  }[];
}

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
