import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { BundleRequest } from '../../domain/bundle-requests/bundle-request.ts';
import { getRequest } from '../../domain/bundle-requests/find.ts';
import { publishedKeys } from '../../domain/bundles/signing-keys.ts';
import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/identity/principal.ts';
import { openLog } from '../../domain/logs/stream-log.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import { answerError } from '../http-errors.ts';
import { ArchiveLayouts } from './archive-layouts.ts';
import { DOCUMENTS, requireComplete } from './documents.ts';
import { textRepresentation } from './representation.ts';
import { sendLog } from './send-log.ts';
import { sendRepresentation } from './send-representation.ts';

export interface DownloadServices {
  settings: Pick<Settings, 'dataDir' | 'signingKey'>;
  database: Database;
  blobs: BlobStore;
  logger: FastifyBaseLogger;
  principalOf(request: FastifyRequest): Promise<Principal>;
}

/** Everything that a bundle request offers as a file, for GET and HEAD, and the public keys of its signatures. */
export function registerDownloads(app: FastifyInstance, services: DownloadServices): void {
  app.register(async (scope) => {
    const { database, blobs } = services;
    const context = { database, blobs, layouts: ArchiveLayouts.of(database, blobs) };
    const requestOf = async (request: FastifyRequest): Promise<BundleRequest> =>
      await getRequest(database, await services.principalOf(request), numberOf(request));
    const get = (
      url: string,
      handler: (request: FastifyRequest, reply: FastifyReply) => Promise<void>,
    ): void => {
      scope.route({
        method: ['GET', 'HEAD'],
        url,
        handler: async (request, reply) => {
          await handler(request, reply);
          return reply;
        },
      });
    };

    scope.setErrorHandler(answerError);
    for (const [name, open] of Object.entries(DOCUMENTS)) {
      get(`/bundle-requests/:number/${name}`, async (request, reply) => {
        const format = parameter(request, 'format');
        const bundleRequest = await requestOf(request);
        requireComplete(bundleRequest);
        await sendRepresentation(request, reply, await open(context, bundleRequest, format));
      });
    }
    get('/bundle-requests/:number/log', async (request, reply) => {
      const after = afterOf(request);
      const { id } = await requestOf(request);
      const log = await openLog(database, blobs, { subjectType: 'bundle-request', subjectId: id });
      await sendLog(request, reply, log, after);
    });
    get('/keys', async (request, reply) => {
      await sendRepresentation(request, reply, await publicKeys(services));
    });
  });
}

/** Whoever verifies a signature needs no account. */
async function publicKeys({ database, settings, logger }: DownloadServices) {
  const published = await publishedKeys(database, settings, (error) =>
    logger.error({ err: error }, 'the key that signs provenance cannot be read'),
  );
  const keys = published.map(({ keyId, publicKey }) => ({
    keyid: keyId,
    algorithm: 'ed25519',
    pem: publicKey,
  }));
  return textRepresentation(`${JSON.stringify({ keys }, null, 2)}\n`, {
    contentType: 'application/json; charset=utf-8',
    fileName: 'stowage-keys.json',
    disposition: 'inline',
  });
}

function numberOf(request: FastifyRequest): number {
  const { number } = request.params as { number: string };
  if (/^[1-9]\d{0,14}$/.test(number)) return Number(number);
  throw new InvalidInputError(`"${number.slice(0, 60)}" is not the number of a bundle request`);
}

function afterOf(request: FastifyRequest): number {
  const after = parameter(request, 'after') ?? '0';
  if (/^\d{1,15}$/.test(after)) return Number(after);
  throw new InvalidInputError(`"after" must be the number of a log line, not "${after.slice(0, 60)}"`);
}

function parameter(request: FastifyRequest, name: string): string | null {
  const value = (request.query as Record<string, string | string[] | undefined>)[name];
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  throw new InvalidInputError(`"${name}" may be given once only`);
}
