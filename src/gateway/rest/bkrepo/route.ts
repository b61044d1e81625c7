import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ContextServices, OperationOrigin } from '../../graphql/context.ts';
import type { StoredOperation } from '../../graphql/run-operation.ts';

/** One call of the dialect: a file below routes/, a row in {@link file://./routes/routes.ts}. */
export interface BkrepoRoute {
  /** GET implies HEAD. */
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As the framework writes it; `*` at the end holds a name with slashes. */
  path: string;
  /** `nobody`: not even wrong credentials matter; `user`: only who is logged in; absent: the domain decides. */
  login?: 'nobody' | 'user';
  handle(call: BkrepoCall, request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

/** What a route works with: the services of the gateway, and who asks. */
export interface BkrepoCall extends ContextServices, OperationOrigin {
  run<Data, Variables extends object>(
    operation: StoredOperation<Data, Variables>,
    variables: Variables,
  ): Promise<Data>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls, for texts; null: nobody, or it is not known yet. */
    bkrepoUser: string | null;
  }
}
