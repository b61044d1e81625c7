import type { GraphQLSchema } from 'graphql';
import { audited } from '../../../domain/audit/audit-log.ts';
import type { DomainError } from '../../../domain/errors.ts';
import type { GraphQLContext } from '../context.ts';
import { shownArguments } from './shown-arguments.ts';

/** Every mutation is in the audit log, also when a dialect runs it. */
export function withAuditedMutations(schema: GraphQLSchema): GraphQLSchema {
  for (const field of Object.values(schema.getMutationType()!.getFields())) {
    const resolve = field.resolve!;
    field.resolve = async (root, args, context: GraphQLContext, info) =>
      await audited(
        context.database,
        context.principal,
        { action: field.name, details: shownArguments(args), address: context.address },
        async () => await resolve(root, args, context, info),
        refusalIn,
      );
  }
  return schema;
}

/** The errors plugin wraps an error that is a result, so that it is none to `instanceof`; this is how it knows one itself. */
const WRAPPED_ERROR = Symbol.for('Pothos.unwrapErrors');

/** Refusals are results of mutations: the code of one. */
function refusalIn(result: unknown): string | null {
  const { [WRAPPED_ERROR]: isError, code } = (result ?? {}) as Partial<DomainError> & WrappedError;
  return isError === undefined ? null : code!;
}

interface WrappedError {
  [WRAPPED_ERROR]?: unknown;
}
