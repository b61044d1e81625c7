import type { FastifyRequest } from 'fastify';
import { fieldError } from '../errors.ts';
import type { SchemaState } from '../operations/images.ts';
import type { LogSlice } from '../shapes/builds.ts';
import { buildStatesOf } from '../shapes/states.ts';

/** null: absent or empty. The last one counts when it is there twice. */
function parameter({ query }: FastifyRequest, name: string): string | null {
  const value = (query as Record<string, string | string[] | undefined>)[name];
  return (Array.isArray(value) ? value.at(-1) : value) || null;
}

/** fandogh.md 1.7. */
export function stateFilterOf(request: FastifyRequest): SchemaState[] | null {
  const name = parameter(request, 'state');
  if (name === null) return null;
  const states = buildStatesOf(name);
  if (states === null) {
    throw fieldError('state', 'The state is one of PENDING, BUILDING, BUILT, FAILED, BUILD_FAILED.');
  }
  return states;
}

/** fandogh.md 1.9: what is no number counts as none. `isPolling`: the client says how much it has. */
export function logSliceOf(request: FastifyRequest): LogSlice & { isPolling: boolean } {
  const text = parameter(request, 'image_offset');
  const offset = text !== null && /^\d{1,15}$/.test(text) ? Number(text) : 0;
  return {
    offset,
    isPolling: text !== null,
    withTimestamp: /^(?:true|1)$/i.test(parameter(request, 'with_timestamp') ?? ''),
  };
}

/** `?format=list`: all builds of the version. */
export function wantsAllBuilds(request: FastifyRequest): boolean {
  return parameter(request, 'format') === 'list';
}
