import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';
import { User } from './user.ts';

/** A named secret of a user for programs: limited to scopes, and to a time if one is set. */
export const Token = defineEntity({
  name: 'Token',
  tableName: 'tokens',
  properties: {
    id: p.bigint('number').primary(),
    user: () => p.manyToOne(User),
    name: p.text(),
    /** sha256 of the secret, which is shown once. */
    secretHash: p.blob().hidden(),
    scopes: p.array(),
    createdAt: p.datetime().onCreate(() => new Date()),
    expiresAt: p.datetime().nullable(),
    lastUsedAt: p.datetime().nullable(),
  },
});
export type Token = InferEntity<typeof Token>;
