import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Settings } from '../../domain/config.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Values of `WWW-Authenticate`, see {@link offerChallenges}. */
    challenges?: readonly string[];
  }
}

/** Both schemes that domain/identity/authenticate.ts takes. */
const PASSWORDS_AND_TOKENS = ['Basic realm="Stowage", charset="UTF-8"', 'Bearer realm="Stowage"'];

/** Call it on the root: every answer 401 below it offers the same ways to log in. */
export function offerChallenges(
  app: FastifyInstance,
  { kerberosService }: Pick<Settings, 'kerberosService'>,
): void {
  const tickets = kerberosService === null ? [] : ['Negotiate'];
  app.decorate('challenges', [...tickets, ...PASSWORDS_AND_TOKENS]);
}

/** Values of `WWW-Authenticate`: the ways in which a client may say who it is. */
export function challengesOf({ server }: FastifyRequest): string[] {
  return [...(server.challenges ?? PASSWORDS_AND_TOKENS)];
}
