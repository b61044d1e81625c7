import type { FastifyRequest } from 'fastify';
import type { Database } from '../../../domain/database/database.ts';
import { UnauthenticatedError } from '../../../domain/errors.ts';
import { platformPrincipal } from '../../../domain/identity/platform-accounts.ts';
import type { Principal } from '../../../domain/identity/principal.ts';
import { isExpiredToken } from '../../../domain/identity/tokens.ts';
import { BkrepoError } from './errors.ts';

interface CredentialServices {
  database: Database;
  principalOf: (request: FastifyRequest) => Promise<Principal>;
}

/** Who calls (bkrepo-docker.md 2.1): wrong credentials fail at once, none at all are those of nobody. */
export async function callerOf(services: CredentialServices, request: FastifyRequest): Promise<Principal> {
  const { authorization = '' } = request.headers;
  const [scheme = '', credentials = ''] = authorization.trim().split(/\s+/, 2);
  switch (scheme.toLowerCase()) {
    case 'platform':
      return await ofPlatform(services, request, credentials);
    case 'basic':
      if (pairOf(credentials) === null) throw refused('Invalid authorization value.');
      return await orRefused(services.principalOf(request), () => 'Authorization value check failed');
    case 'bearer':
      return await orRefused(services.principalOf(request), async () =>
        (await isExpiredToken(services.database, credentials)) ? 'Expired token' : 'Invalid token',
      );
    default:
      return await orRefused(services.principalOf(request), () => 'Unauthorized');
  }
}

async function ofPlatform(
  { database }: CredentialServices,
  { headers }: FastifyRequest,
  credentials: string,
): Promise<Principal> {
  const pair = pairOf(credentials);
  // Without the dot that the same text has for Basic.
  if (pair === null) throw refused('Invalid authorization value');
  const [accessKey, secretKey] = pair;
  const user = headers['x-bkrepo-uid'];
  return await orRefused(
    platformPrincipal(database, {
      accessKey,
      secretKey,
      userName: typeof user === 'string' && user !== '' ? user : null,
    }),
    () => 'AccessKey/SecretKey check failed.',
  );
}

/** null: not `name:secret` in base64. */
function pairOf(credentials: string): [name: string, secret: string] | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(credentials)) return null;
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? null : [text.slice(0, colon), text.slice(colon + 1)];
}

async function orRefused(
  principal: Promise<Principal>,
  reason: () => string | Promise<string>,
): Promise<Principal> {
  try {
    return await principal;
  } catch (error) {
    if (error instanceof UnauthenticatedError) throw refused(await reason());
    throw error;
  }
}

function refused(reason: string): BkrepoError {
  return new BkrepoError('UNAUTHENTICATED', reason);
}
