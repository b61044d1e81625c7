import type { User } from '../../../domain/identity/user.ts';
import { mayKnow } from '../../../domain/identity/user-details.ts';
import { builder } from '../builder.ts';

/** Names are shown to everybody who sees what a user made; the rest to administrators. */
export const UserRef = builder.objectRef<User>('User').implement({
  fields: (t) => ({
    number: t.int({ nullable: false, resolve: ({ id }) => id }),
    name: t.exposeString('name', { nullable: false }),
    email: t.string({
      description: 'Told to themselves and to administrators.',
      resolve: (user, _args, { principal }) => (mayKnow(principal, user) ? user.email : null),
    }),
    isAdmin: t.exposeBoolean('isAdmin', { authScopes: { admin: true } }),
    createdAt: t.expose('createdAt', { type: 'DateTime', authScopes: { admin: true } }),
    disabledAt: t.expose('disabledAt', { type: 'DateTime', authScopes: { admin: true } }),
  }),
});
