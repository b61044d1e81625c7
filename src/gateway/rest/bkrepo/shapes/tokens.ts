import type { NewToken } from '../operations/tokens.ts';
import { extDate } from './dates.ts';

/** bkrepo-docker.md 2.1; the secret, which is shown only now, is called its id. */
export function tokenRecord({ token, secret }: NewToken) {
  return {
    name: token.name,
    id: secret,
    createdAt: extDate(token.createdAt),
    expiredAt: token.expiresAt === null ? null : extDate(token.expiresAt),
  };
}
