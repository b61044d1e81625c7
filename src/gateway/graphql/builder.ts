import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import type { FileUpload } from 'graphql-upload/processRequest.mjs';
import type { ExactTime } from '../../domain/bundle-requests/bundle-request.ts';
import {
  ConflictError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  TooManyRequestsError,
  UnauthenticatedError,
} from '../../domain/errors.ts';
import { LIST_MULTIPLIER } from './connections.ts';
import type { GraphQLContext } from './context.ts';

export interface SchemaTypes {
  Context: GraphQLContext;
  AuthScopes: { read: boolean; admin: boolean };
  Scalars: {
    ID: { Input: string; Output: string | number };
    DateTime: { Input: Date; Output: Date };
    ExactDateTime: { Input: ExactTime; Output: ExactTime };
    JSON: { Input: unknown; Output: unknown };
    /** A number of bytes: beyond 2^31, below 2^53. */
    Bytes: { Input: number; Output: number };
    Upload: { Input: Promise<FileUpload>; Output: never };
  };
}

/**
 * The schema's builder: every folder beside this file adds the types of one noun of the domain. What a mutation may
 * refuse is part of its result (a union); queries and subscriptions raise errors with a code in `extensions`.
 */
export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ErrorsPlugin, ScopeAuthPlugin, RelayPlugin, ComplexityPlugin],
  errors: {
    defaultTypes: [
      InvalidInputError,
      NotFoundError,
      ForbiddenError,
      UnauthenticatedError,
      ConflictError,
      TooManyRequestsError,
    ],
    directResult: false,
  },
  scopeAuth: {
    authScopes: ({ principal }) => ({
      read: principal.scopes.has('read'),
      admin: principal.isAdmin && principal.scopes.has('admin'),
    }),
    unauthorizedError: (_parent, { principal }) =>
      principal.name === null ? new UnauthenticatedError() : new ForbiddenError('This is not allowed to you'),
  },
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    nodesOnConnection: true,
  },
  complexity: {
    limit: ({ isStored }) => (isStored ? {} : { depth: 20, breadth: 400, complexity: 20_000 }),
    defaultComplexity: 1,
    // Lists that are not connections are short.
    defaultListMultiplier: LIST_MULTIPLIER,
  },
});

builder.queryType({});
builder.mutationType({});
builder.subscriptionType({});
