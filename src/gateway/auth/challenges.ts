import type { FastifyRequest } from 'fastify';

/** Values of `WWW-Authenticate`: the ways in which a client may say who it is. */
export function challengesOf(_request: FastifyRequest): string[] {
  return ['Basic realm="Stowage", charset="UTF-8"', 'Bearer realm="Stowage"'];
}
