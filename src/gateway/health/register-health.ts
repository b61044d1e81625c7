import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../../domain/database/database.ts';
import { withTimeout } from '../../domain/kept-result.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import { databaseMetrics } from './database-metrics.ts';
import { type MetricFamily, prometheusText } from './prometheus-text.ts';
import { readinessChecks } from './readiness.ts';
import { readinessMetrics } from './readiness-metrics.ts';

export interface HealthServices {
  database: Pick<Database, 'sql'>;
  blobs: Pick<BlobStore, 'check'> & Partial<Pick<BlobStore, 'freeBytes'>>;
  logger: FastifyBaseLogger;
  /** For each check of readiness and for the database's part of the metrics. */
  timeoutMs?: number;
  /** Of the certificate that this gateway shows. */
  certificateExpiresAt?: Date | null;
}

/** Metrics of this process that others keep. */
export interface GatewayMetrics {
  /** Open subscriptions. */
  subscribers: Pick<Gauge, 'set' | 'inc' | 'dec'>;
}

const TIMEOUT_MS = 2_000;

/** `/livez`, `/readyz` and `/metrics`; times every request of the server. Call it on the root, before routes are added. */
export function registerHealth(app: FastifyInstance, services: HealthServices): GatewayMetrics {
  const { database, blobs, logger, timeoutMs = TIMEOUT_MS, certificateExpiresAt = null } = services;
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const subscribers = new Gauge({
    name: 'stowage_subscribers',
    help: 'Open subscriptions of this gateway.',
    registers: [registry],
  });
  timeRequests(app, registry);

  const readiness = readinessChecks(services, timeoutMs);
  const ofReadiness = readinessMetrics({ readiness, blobs, certificateExpiresAt, timeoutMs });
  const fromDatabase = databaseMetrics(database.sql);
  app.get('/livez', async () => ({ ok: true }));
  app.get('/readyz', async (_request, reply) => {
    const result = await readiness();
    if (!result.ok) logger.warn({ checks: result.checks }, 'not ready');
    return reply
      .code(result.ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(result);
  });
  app.get('/metrics', async (_request, reply) => {
    const [families, here, own] = await Promise.all([
      withTimeout(fromDatabase(), timeoutMs).catch((error: unknown) => {
        logger.warn({ err: error }, 'metrics of the database are missing');
        return null;
      }),
      ofReadiness(),
      registry.metrics(),
    ]);
    return reply
      .header('cache-control', 'no-store')
      .type(registry.contentType)
      .send(`${own}\n${prometheusText([...here, databaseUp(families !== null), ...(families ?? [])])}`);
  });
  return { subscribers };
}

/** A client that leaves before there is an answer counts as this status. */
const CLIENT_LEFT = '499';

/** From the first byte of the request to the last of the answer, also when the connection broke. */
function timeRequests(app: FastifyInstance, registry: Registry): void {
  const durations = new Histogram({
    name: 'stowage_http_request_duration_seconds',
    help: 'Time that HTTP requests took, by route.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [registry],
  });
  app.addHook('onRequest', (request, reply, done) => {
    const end = durations.startTimer();
    reply.raw.once('close', () =>
      end({
        method: request.method,
        // Never the path: everybody could make new series.
        route: request.routeOptions.url ?? 'unknown',
        status: reply.raw.headersSent ? String(reply.raw.statusCode) : CLIENT_LEFT,
      }),
    );
    done();
  });
}

function databaseUp(isUp: boolean): MetricFamily {
  return {
    name: 'stowage_database_up',
    type: 'gauge',
    help: 'Whether the database gave its part of these metrics in time.',
    samples: [{ value: isUp ? 1 : 0 }],
  };
}
