import { NotFoundError } from '../../../domain/errors.ts';
import { listOwnProjects, listProjects } from '../../../domain/identity/list-projects.ts';
import type { Principal } from '../../../domain/identity/principal.ts';
import { findUserDetails } from '../../../domain/identity/user-details.ts';
import { builder } from '../builder.ts';
import { ProjectRef } from './project.ts';
import { UserRef } from './user.ts';

const PrincipalRef = builder.objectRef<Principal>('Principal').implement({
  description: 'Who asks.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Null: nobody is logged in.' }),
    isAdmin: t.exposeBoolean('isAdmin', { nullable: false }),
    scopes: t.stringList({
      nullable: false,
      description: 'What the credentials may be used for.',
      resolve: ({ scopes }) => [...scopes],
    }),
    memberships: t.field({
      type: [ProjectRef],
      nullable: false,
      description: 'Projects of which the caller is a member, in the order of becoming one.',
      resolve: (principal, _args, { database }) => listOwnProjects(database, principal),
    }),
  }),
});

builder.queryFields((t) => ({
  user: t.field({
    type: UserRef,
    description:
      'Oneself; for administrators anybody. Null when there is none, or none that the caller may see.',
    args: { name: t.arg.string({ required: true }) },
    resolve: async (_root, { name }, { database, principal }) => {
      try {
        return await findUserDetails(database, principal, name);
      } catch (error) {
        if (error instanceof NotFoundError) return null;
        throw error;
      }
    },
  }),
  me: t.field({ type: PrincipalRef, nullable: false, resolve: (_root, _args, { principal }) => principal }),
  projects: t.field({
    type: [ProjectRef],
    nullable: false,
    description: 'Projects that the caller may see, by name.',
    resolve: (_root, _args, { database, principal }) => listProjects(database, principal),
  }),
}));
