import { PothosError } from '@pothos/core';
import type { FastifyBaseLogger } from 'fastify';
import { GraphQLError, type GraphQLErrorOptions } from 'graphql';
import { asDatabaseUnavailable } from '../../domain/database/connection-lost.ts';
import { DomainError } from '../../domain/errors.ts';
import { asDiskFull } from '../../domain/storage/disk-full.ts';

/**
 * What a client sees of an error: those of the domain with their code, hint and details; what GraphQL itself says about
 * a document as it is; that the database is away; anything else masked and logged.
 */
export function maskError(logger: Pick<FastifyBaseLogger, 'error'>): (error: unknown) => GraphQLError {
  return (error) => {
    const original = originalOf(error);
    const cause = asDatabaseUnavailable(original) ?? asDiskFull(original) ?? original;
    if (cause instanceof DomainError) return withCode(error, cause.message, extensionsOf(cause));
    if (cause instanceof PothosError) return withCode(error, cause.message, { code: 'invalid-input' });
    if (error instanceof GraphQLError && (cause === error || cause instanceof GraphQLError)) return error;
    logger.error({ err: cause }, 'GraphQL resolver failed');
    return withCode(error, 'Something went wrong in the server', { code: 'internal' });
  };
}

function originalOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

function extensionsOf({ code, hint, details }: DomainError): Record<string, unknown> {
  return { code, hint, details };
}

function withCode(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  const options: GraphQLErrorOptions = { extensions };
  if (error instanceof GraphQLError) {
    Object.assign(options, { nodes: error.nodes, source: error.source, positions: error.positions });
    Object.assign(options, { path: error.path });
  }
  return new GraphQLError(message, options);
}
