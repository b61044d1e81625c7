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

/** Nobody, where everybody may read what was made in public (cachito.md 1.2); see bundle-requests/visibility.ts. */
export const PUBLIC_READER: Principal = { ...ANONYMOUS, scopes: new Set(['read']) };

/** The service itself: recovery, schedules. */
export const SYSTEM: Principal = { userId: null, name: 'system', isAdmin: true, scopes: new Set(SCOPES) };

/** Throws UnauthenticatedError for anonymous callers, ForbiddenError when the token lacks the scope. */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.scopes.has(scope)) return;
  if (principal.name === null) throw new UnauthenticatedError();
  throw new ForbiddenError(`This token does not have the scope "${scope}"`);
}

export function requireAdmin(principal: Principal): void {
  requireScope(principal, 'admin');
  if (!principal.isAdmin) throw new ForbiddenError('Only administrators may do this');
}
