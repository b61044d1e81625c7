import type { FastifyRequest } from 'fastify';
import { InvalidInputError } from '../../../../domain/errors.ts';

/** The first value of a parameter; null when it is absent. */
export function parameter(request: FastifyRequest, name: string): string | null {
  return parameters(request, name)[0] ?? null;
}

/** As {@link parameter}, where an empty value counts as none. */
export function nonEmpty(request: FastifyRequest, name: string): string | null {
  return parameter(request, name) || null;
}

/** Throws InvalidInputError for a parameter that is missing. */
export function required(request: FastifyRequest, name: string): string {
  const value = nonEmpty(request, name);
  if (value === null) throw new InvalidInputError(`Missing query parameter '${name}'`);
  return value;
}

export function parameters(request: FastifyRequest, name: string): string[] {
  const value = (request.query as Record<string, string | string[] | undefined>)[name];
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** As Python reads it; null for what is no integer. */
export function integerOf(text: string): number | null {
  return /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : null;
}
