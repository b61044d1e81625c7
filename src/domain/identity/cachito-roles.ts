import type { Settings } from '../config.ts';
import { ForbiddenError, UnauthenticatedError } from '../errors.ts';
import { ANONYMOUS, type Principal, requireScope } from './principal.ts';

/**
 * Roles of Cachito's API (cachito.md 1.2): names in the settings, not rights of an account. With logins disabled
 * everybody has them all, and nobody is known.
 */
export type RoleSettings = Pick<Settings, 'cachitoLoginDisabled' | 'workerUsernames' | 'userRepresentatives'>;

/** In whose name a request is made. Throws UnauthenticatedError, ForbiddenError. */
export function requireSubmitter(settings: RoleSettings, principal: Principal): Principal {
  if (settings.cachitoLoginDisabled) return ANONYMOUS;
  requireLogin(principal);
  requireScope(principal, 'write');
  return principal;
}

/** Throws UnauthenticatedError for nobody, ForbiddenError for everybody who is not a worker. */
export function requireWorker(settings: RoleSettings, principal: Principal): void {
  if (settings.cachitoLoginDisabled) return;
  requireLogin(principal);
  if (!settings.workerUsernames.includes(principal.name!)) {
    throw new ForbiddenError('This API endpoint is restricted to Cachito workers');
  }
  requireScope(principal, 'write');
}

export function mayRepresentOthers(settings: RoleSettings, principal: Principal): boolean {
  return settings.userRepresentatives.includes(principal.name!);
}

function requireLogin(principal: Principal): void {
  if (principal.name === null) throw new UnauthenticatedError();
}
