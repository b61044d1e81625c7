import { mkdir, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';
import type { EventHub } from '../domain/events/event-hub.ts';
import type { Authenticator } from '../domain/identity/authenticate.ts';
import { isProcessAlive } from '../domain/process-alive.ts';
import { openRegistry } from '../domain/registry/registry.ts';
import type { BlobStore } from '../domain/storage/blob-store.ts';
import type { Tracing } from '../domain/tracing/tracing.ts';
import { Announcement } from './announcement.ts';
import { offerChallenges } from './auth/challenges.ts';
import { Principals } from './auth/principals.ts';
import { registerDownloads } from './downloads/register-downloads.ts';
import { registerGraphQL } from './graphql/graphql-endpoint.ts';
import { PersistedOperations } from './graphql/persisted-operations.ts';
import { registerHealth } from './health/register-health.ts';
import { answerError, answerUnknownPath } from './http-errors.ts';
import { answerUndecodable } from './oci/oci-errors.ts';
import { isOciUrl, registerOci } from './oci/register-oci.ts';
import { registerPackageRegistries } from './package-registries/register-package-registries.ts';
import { registerLogin } from './pages/register-login.ts';
import { registerPages } from './pages/register-pages.ts';
import { registerRequestLog, requestLogOptions } from './request-log.ts';
import { RequestRate } from './request-rate.ts';
import { answerBkrepoError } from './rest/bkrepo/errors.ts';
import { isBkrepoUrl, registerBkrepo } from './rest/bkrepo/register-bkrepo.ts';
import { answerUnknownResource } from './rest/cachito/errors.ts';
import { CACHITO_PREFIX, registerCachito } from './rest/cachito/register-cachito.ts';
import { answerFandoghError } from './rest/fandogh/errors.ts';
import { isFandoghUrl, registerFandogh } from './rest/fandogh/register-fandogh.ts';
import { registerSecurityHeaders, SERVER_LIMITS } from './security-headers.ts';
import { watchPace } from './slow-clients.ts';
import { certificateExpiry, tlsOptions } from './tls.ts';
import { registerTraces } from './traces.ts';

export interface GatewayOptions {
  settings: Settings;
  database: Database;
  blobs: BlobStore;
  hub: EventHub;
  authenticator: Authenticator;
  logger: FastifyBaseLogger;
  /** Absent, null: traces are off. */
  tracing?: Tracing | null;
  /** How often the credentials of open subscriptions are looked at again. */
  credentialsCheckMs?: number;
  /** How often web sockets must show that they are read. */
  socketPingMs?: number;
  /** What the pace of slow clients is an average of. */
  paceWindowMs?: number;
}

export interface RunningGateway {
  url: string;
  /** Lets running answers end for a while, then cuts them off. */
  close(): Promise<void>;
}

const DRAIN_MS = 5_000;

/** One HTTP server for everything that this process offers. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { settings, logger } = options;
  const uploads = await prepareUploads(settings);
  // graphql-upload spools below the temporary directory of the process.
  const usualDirectory = process.env.TMPDIR;
  process.env.TMPDIR = uploads;
  const https = await tlsOptions(settings);
  const app = Fastify({
    ...requestLogOptions(logger),
    ...SERVER_LIMITS,
    ...(https && { https }),
    frameworkErrors: answerFrameworkError,
    forceCloseConnections: 'idle',
    trustProxy: settings.trustedProxies.length > 0 ? settings.trustedProxies : false,
  }) as unknown as FastifyInstance;
  registerTraces(app, options);
  registerRequestLog(app);
  registerSecurityHeaders(app);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(answerUnknownPath);

  const rate = new RequestRate(settings);
  rate.register(app);
  const principals = await Principals.open(options);
  principals.register(app);
  offerChallenges(app, settings);
  const principalOf = principals.of.bind(principals);
  const browserOf = principals.ofBrowser.bind(principals);
  const authenticate = principals.ofConnection.bind(principals);
  const authenticateAgain = principals.again.bind(principals);
  const { subscribers } = registerHealth(app, {
    ...options,
    certificateExpiresAt: certificateExpiry(https),
  });
  const registry = openRegistry({
    ...options,
    onError: (error) => logger.warn({ err: error }, 'pulls were not counted'),
  });
  const pace = watchPace(app.server, {
    bytesPerSecond: settings.minimumRate,
    logger,
    ...(options.paceWindowMs !== undefined && { windowMs: options.paceWindowMs }),
  });
  const graphql = registerGraphQL(app, {
    ...options,
    registry,
    rate,
    principalOf: browserOf,
    authenticate,
    authenticateAgain,
    subscribers,
    operations: await PersistedOperations.open(settings),
  });
  registerDownloads(app, { ...options, principalOf: browserOf });
  registerPackageRegistries(app, options);
  registerPages(app, options);
  registerLogin(app, options);
  registerCachito(app, { ...options, registry, principalOf });
  registerOci(app, { settings, registry, rate, authenticator: options.authenticator });
  registerBkrepo(app, { ...options, registry, principalOf });
  registerFandogh(app, { ...options, registry, principalOf });

  const { host, port: wantedPort } = settings;
  // The kernel spreads connections over all gateways that listen so.
  const address = { host, port: wantedPort, reusePort: settings.gatewayProcesses > 1 };
  await app.listen(address);
  const { port } = app.server.address() as AddressInfo;
  const protocol = https ? 'https' : 'http';
  const announcement = await Announcement.start({
    sql: options.database.sql,
    protocol,
    host,
    port,
    onError: (error) => logger.warn({ err: error }, 'the address was not announced'),
  });
  return {
    url: `${protocol}://${hostName(settings.host)}:${port}`,
    async close() {
      const deadline = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS);
      await announcement.stop();
      // Uploads go on at another gateway, from the last byte that came.
      await registry.close();
      await graphql.close();
      await app.close();
      pace.close();
      clearTimeout(deadline);
      if (usualDirectory === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = usualDirectory;
      await rm(uploads, { recursive: true, force: true });
    },
  };
}

/** What the framework refuses before it has found a route, in the language of the dialect below whose prefix it is. */
function answerFrameworkError(error: unknown, request: unknown, reply: unknown): void {
  const asked = request as FastifyRequest;
  if (asked.url.startsWith(`${CACHITO_PREFIX}/`)) answerUnknownResource(asked, reply as FastifyReply);
  else if (isBkrepoUrl(asked.url)) answerBkrepoError(error, asked, reply as FastifyReply);
  else if (isOciUrl(asked.url)) answerUndecodable(asked, reply as FastifyReply);
  else if (isFandoghUrl(asked.url)) answerFandoghError(error, asked, reply as FastifyReply);
  else SERVER_LIMITS.frameworkErrors(error, request, reply);
}

function hostName(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/**
 * Files in the middle of an upload lie in a directory of this process below the data directory, which is removed at its
 * end; those of processes that were killed are removed now.
 */
async function prepareUploads(settings: Settings): Promise<string> {
  const parent = join(settings.dataDir, 'tmp');
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    const pid = /^uploads-(\d+)$/.exec(name)?.[1];
    if (pid && !isProcessAlive(Number(pid))) await rm(join(parent, name), { recursive: true, force: true });
  }
  const directory = join(parent, `uploads-${process.pid}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return directory;
}
