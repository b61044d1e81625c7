import { createUser } from '../../../domain/identity/accounts.ts';
import { createProject, removeProjectMember, setProjectMember } from '../../../domain/identity/projects.ts';
import type { Token } from '../../../domain/identity/token.ts';
import { createOwnToken, listTokens, revokeOwnToken } from '../../../domain/identity/tokens.ts';
import { changeUserDetails } from '../../../domain/identity/user-details.ts';
import { builder } from '../builder.ts';
import { withoutNulls } from '../without-nulls.ts';
import { ProjectRef, ProjectRoleEnum, ProjectVisibilityEnum } from './project.ts';
import { UserRef } from './user.ts';

const TokenRef = builder.objectRef<Token>('Token').implement({
  description: 'A named secret of a user for programs.',
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    scopes: t.exposeStringList('scopes', { nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime' }),
  }),
});

const CreatedTokenRef = builder.objectRef<{ token: Token; secret: string }>('CreatedToken').implement({
  fields: (t) => ({
    token: t.expose('token', { type: TokenRef, nullable: false }),
    secret: t.exposeString('secret', { nullable: false, description: 'Shown only now.' }),
  }),
});

builder.queryFields((t) => ({
  tokens: t.field({
    type: [TokenRef],
    nullable: false,
    args: { user: t.arg.string({ description: 'Administrators may name somebody else.' }) },
    resolve: (_root, { user }, { database, principal }) => listTokens(database, principal, user ?? null),
  }),
}));

builder.mutationFields((t) => ({
  createProject: t.field({
    type: ProjectRef,
    nullable: false,
    description: 'The caller becomes its owner.',
    errors: {},
    args: { name: t.arg.string({ required: true }), visibility: t.arg({ type: ProjectVisibilityEnum }) },
    resolve: (_root, input, { database, principal }) =>
      createProject(database, principal, withoutNulls(input)),
  }),
  setProjectMember: t.field({
    type: ProjectRef,
    nullable: false,
    description: 'Adds a member or changes its role. For owners and administrators.',
    errors: {},
    args: {
      project: t.arg.string({ required: true }),
      user: t.arg.string({ required: true }),
      role: t.arg({ type: ProjectRoleEnum, required: true }),
    },
    resolve: (_root, { project, user, role }, { database, principal }) =>
      setProjectMember(database, principal, { projectName: project, userName: user, role }),
  }),
  removeProjectMember: t.field({
    type: ProjectRef,
    nullable: false,
    description: 'For owners and administrators.',
    errors: {},
    args: { project: t.arg.string({ required: true }), user: t.arg.string({ required: true }) },
    resolve: (_root, { project, user }, { database, principal }) =>
      removeProjectMember(database, principal, { projectName: project, userName: user }),
  }),
  createUser: t.field({
    type: UserRef,
    nullable: false,
    description: 'For administrators.',
    errors: {},
    args: {
      name: t.arg.string({ required: true }),
      password: t.arg.string({ description: 'Absent: the user can use tokens only.' }),
      email: t.arg.string(),
      isAdmin: t.arg.boolean(),
    },
    resolve: (_root, input, { database, principal }) => createUser(database, principal, withoutNulls(input)),
  }),
  changeUser: t.field({
    type: UserRef,
    nullable: false,
    description: 'Of oneself; for administrators of anybody. What is absent stays.',
    errors: {},
    args: {
      name: t.arg.string({ required: true }),
      email: t.arg.string({ description: 'Null: none.' }),
      password: t.arg.string(),
      oldPassword: t.arg.string({ description: 'To change the password of oneself.' }),
    },
    resolve: (_root, { name, email, password, oldPassword }, { database, principal }) =>
      changeUserDetails(database, principal, name, {
        ...(email !== undefined && { email }),
        ...(password != null && { password, oldPassword: oldPassword ?? null }),
      }),
  }),
  createToken: t.field({
    type: CreatedTokenRef,
    nullable: false,
    errors: {},
    args: {
      name: t.arg.string({ required: true }),
      scopes: t.arg.stringList({ description: '`read`, `write`, `admin`; the first two when absent.' }),
      expiresAt: t.arg({ type: 'DateTime' }),
      user: t.arg.string({ description: 'Administrators may name somebody else.' }),
    },
    resolve: (_root, { user, ...input }, { database, principal }) =>
      createOwnToken(database, principal, user ?? null, withoutNulls(input)),
  }),
  revokeToken: t.field({
    type: TokenRef,
    nullable: false,
    errors: {},
    args: { name: t.arg.string({ required: true }), user: t.arg.string() },
    resolve: (_root, { user, name }, { database, principal }) =>
      revokeOwnToken(database, principal, user ?? null, name),
  }),
}));
