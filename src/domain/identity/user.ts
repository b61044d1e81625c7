import { defineEntity, type InferEntity, p } from '@mikro-orm/postgresql';

/** Somebody who can log in. Names are unique and keep their case (Kerberos names have one). */
export const User = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.bigint('number').primary(),
    name: p.text().unique(),
    /** scrypt, see password.ts; null: tokens only. */
    passwordHash: p.text().nullable().hidden(),
    /** null: nobody said. */
    email: p.text().nullable().default(null),
    isAdmin: p.boolean().default(false),
    createdAt: p.datetime().onCreate(() => new Date()),
    disabledAt: p.datetime().nullable(),
  },
});
export type User = InferEntity<typeof User>;
