import type { FastifyRequest } from 'fastify';

export function imageNameOf({ params }: FastifyRequest): string {
  return (params as { name: string }).name;
}

export function versionNameOf({ params }: FastifyRequest): string {
  return (params as { version: string }).version;
}
