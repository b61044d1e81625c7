import { listOwnProjects, listProjects } from '../../../domain/identity/list-projects.ts';
import type { Principal } from '../../../domain/identity/principal.ts';
import { builder } from '../builder.ts';
import { ProjectRef } from './project.ts';

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
  me: t.field({ type: PrincipalRef, nullable: false, resolve: (_root, _args, { principal }) => principal }),
  projects: t.field({
    type: [ProjectRef],
    nullable: false,
    description: 'Projects that the caller may see, by name.',
    resolve: (_root, _args, { database, principal }) => listProjects(database, principal),
  }),
}));
