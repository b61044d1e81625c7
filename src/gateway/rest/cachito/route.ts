import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../../../domain/identity/principal.ts';
import type { Registry } from '../../../domain/registry/registry.ts';
import type { StoredOperation } from '../../graphql/run-operation.ts';
import type { GatewayOptions } from '../../server.ts';

/** One call of the dialect: a file below routes/, a row in {@link file://./routes/routes.ts}. */
export interface CachitoRoute {
  /** GET implies HEAD. */
  method: 'GET' | 'POST' | 'PATCH';
  /** Below `/api/v1`. A number in a path is `:id(^\\d+$)`: anything else is no path of this dialect. */
  path: string;
  /** Whose login it needs, checked before the body is read (cachito.md 1.2); absent: anybody may call. */
  login?: 'user' | 'worker';
  /** An error as its clients know it; absent: as it is. */
  errorOf?(error: unknown): unknown;
  handle(call: CachitoCall, request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

/** What a route works with: the services of the gateway, and who asks. */
export interface CachitoCall extends GatewayOptions {
  registry: Registry;
  /** Who calls, with at least what everybody may read. */
  principal: Principal;
  /** Base of absolute links, without a slash at its end. */
  baseUrl: string;
  run<Data, Variables extends object>(
    operation: StoredOperation<Data, Variables>,
    variables: Variables,
  ): Promise<Data>;
  /** The same call as if somebody else made it. */
  as(principal: Principal): CachitoCall;
}

/** A segment of a path: digits only. */
export const ID = ':id(^\\d+$)';

/** The number in the path; one that no request can have is as good as any that none has. */
export function numberOf(request: FastifyRequest): number {
  const number = Number((request.params as { id: string }).id);
  return number <= LARGEST_NUMBER ? number : 0;
}

const LARGEST_NUMBER = 2 ** 31 - 1;
