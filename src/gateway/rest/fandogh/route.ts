import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticator } from '../../../domain/identity/authenticate.ts';
import type { ContextServices, OperationOrigin } from '../../graphql/context.ts';
import type { StoredOperation } from '../../graphql/run-operation.ts';
import type { Language, TEXTS } from './language.ts';

/** One call of the dialect: a file below routes/, a row in {@link file://./routes/routes.ts}. */
export interface FandoghRoute {
  /** GET implies HEAD. */
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/api` and `/fa/api`; a slash at the end changes nothing. */
  path: string;
  /** `nobody`: credentials do not matter; absent: one must be logged in. */
  login?: 'nobody';
  handle(call: FandoghCall, request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

/** A call whose body the route reads itself: who calls is found out when it wants to know. */
export interface FandoghUploadRoute {
  method: 'POST';
  path: string;
  handle(caller: () => Promise<FandoghCall>, request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

export interface FandoghServices extends ContextServices {
  authenticator: Authenticator;
}

/** What a route works with: the services of the gateway, and who asks in which namespace. */
export interface FandoghCall extends FandoghServices, OperationOrigin {
  language: Language;
  text(name: keyof typeof TEXTS): string;
  /** The project that the call is about (fandogh.md 1.2). */
  namespace(): Promise<string>;
  run<Data, Variables extends object>(
    operation: StoredOperation<Data, Variables>,
    variables: Variables,
  ): Promise<Data>;
}
