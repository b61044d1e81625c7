import type { FastifyRequest } from 'fastify';
import type { Database } from '../../../domain/database/database.ts';
import { NotFoundError, UnauthenticatedError } from '../../../domain/errors.ts';
import { activeProjectName } from '../../../domain/identity/active-project.ts';
import type { Principal } from '../../../domain/identity/principal.ts';
import { LOGIN_FIRST, messageError, TOKEN_NOT_VALID } from './errors.ts';

export type PrincipalOf = (request: FastifyRequest) => Promise<Principal>;

/** Who calls (fandogh.md 1.1). */
export async function callerOf(principalOf: PrincipalOf, request: FastifyRequest): Promise<Principal> {
  let principal: Principal;
  try {
    principal = await principalOf(request);
  } catch (error) {
    if (error instanceof UnauthenticatedError) throw messageError(401, TOKEN_NOT_VALID);
    throw error;
  }
  if (principal.name === null) throw messageError(401, LOGIN_FIRST);
  return principal;
}

/** What clients send that have chosen none (fandogh.md 1.2). */
const UNSET = new Set(['', 'null', 'undefined', 'None', '[object Object]']);

/** The project of the call; one client looks for the word `Namespace` in what it is told else. */
export async function namespaceOf(
  database: Database,
  principal: Principal,
  { headers }: FastifyRequest,
): Promise<string> {
  const header = headers['active-namespace'];
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  const named = UNSET.has(text) ? null : text;
  try {
    return await activeProjectName(database, principal, named);
  } catch (error) {
    if (!(error instanceof NotFoundError) || named === null) throw error;
    throw messageError(400, `Namespace ${named} does not exist or you have no access to it`);
  }
}
