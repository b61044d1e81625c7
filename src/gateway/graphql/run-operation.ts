import { type DocumentNode, execute, GraphQLError, parse, validate } from 'graphql';
import { DomainError } from '../../domain/errors.ts';
import { currentSpan, untilOver } from '../../domain/tracing/span.ts';
import { type ContextServices, contextOf, type OperationOrigin } from './context.ts';
import { schema } from './schema.ts';
import { describeOperation } from './traced-operations.ts';

/** A GraphQL document of this program: what it takes and gives is written beside it. */
export interface StoredOperation<Data, Variables extends object> {
  readonly document: DocumentNode;
  /** Only for the types. */
  readonly types?: (variables: Variables) => Data;
}

/** Parsed and validated once, when its module is loaded: a mistake in it keeps the gateway from starting. */
export function storedOperation<Data, Variables extends object = Record<never, never>>(
  source: string,
): StoredOperation<Data, Variables> {
  const document = parse(source);
  const [mistake] = validate(schema, document);
  if (mistake) throw mistake;
  return { document };
}

/**
 * Runs an operation in this process. Throws what its resolvers threw: a DomainError as it is; a mutation's refusal,
 * which is part of its result (see {@link refusalOf}), is for the caller.
 */
export async function runOperation<Data, Variables extends object>(
  services: ContextServices,
  origin: OperationOrigin,
  { document }: StoredOperation<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const run = async (): Promise<Data> => {
    const { data, errors } = await execute({
      schema,
      document,
      variableValues: variables as Record<string, unknown>,
      contextValue: contextOf(services, { ...origin, isStored: true }),
    });
    const [error] = errors ?? [];
    if (error) throw originalOf(error);
    return data as Data;
  };
  const request = currentSpan();
  if (request === null) return await run();
  const { name, attributes } = describeOperation(document);
  return await untilOver(request.child(name, attributes), run);
}

/** The fields to select of `... on Error` in the result of a mutation. */
export interface Refusal {
  __typename: string;
  code: string;
  message: string;
  hint: string | null;
  details?: Record<string, unknown>;
}

/** What a mutation gave; throws its refusal as the DomainError that it was. */
export function dataOf<Data>(result: { __typename: string; data: Data } | Refusal): Data {
  if ('data' in result) return result.data;
  const { code, message, hint, details = {} } = result;
  throw new DomainError(code, message, { details, ...(hint !== null && { hint }) });
}

function originalOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}
