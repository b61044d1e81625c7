import { ForbiddenError, UnauthenticatedError } from '../errors.ts';

/** What a token may be used for. A password or session has all of them. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks. Every authenticator yields one of these; permissions are decided here and nowhere else. */
export interface Principal {
  /** null: anonymous. */
  userId: number | null;
  name: string | null;
  isAdmin: boolean;
  scopes: ReadonlySet<Scope>;
  /** The token that was shown; absent: a password, a session. */
  tokenId?: number;
}

export const ANONYMOUS: Principal = { userId: null, name: null, isAdmin: false, scopes: new Set() };

/** The service itself: recovery, schedules. */
export const SYSTEM: Principal = { userId: null, name: 'system', isAdmin: true, scopes: new Set(SCOPES) };

/** Throws UnauthenticatedError for anonymous callers, ForbiddenError when the token lacks the scope. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.name === null) throw new UnauthenticatedError();
  if (!principal.scopes.has(scope)) throw new ForbiddenError(`This token does not have the scope "${scope}"`);
}

export function requireAdmin(principal: Principal): void {
  requireScope(principal, 'admin');
  if (!principal.isAdmin) throw new ForbiddenError('Only administrators may do this');
}
