import type { FastifyRequest } from 'fastify';
import { BkrepoError } from '../errors.ts';

/** The first value of a parameter; null: it is absent. Throws where no value of ours could be it. */
export function parameter(request: FastifyRequest, name: string): string | null {
  const value = (request.query as Record<string, string | string[] | undefined>)[name];
  const text = Array.isArray(value) ? value[0]! : (value ?? null);
  if (text !== null) requireStorable(text, name);
  return text;
}

export function required(request: FastifyRequest, name: string): string {
  const value = parameter(request, name);
  if (value === null) throw new BkrepoError('PARAMETER_MISSING', name);
  return value;
}

/** Required, and something must be said. */
export function requiredText(request: FastifyRequest, name: string): string {
  const value = required(request, name);
  if (value.trim() === '') throw new BkrepoError('PARAMETER_INVALID', name);
  return value;
}

export function flag(request: FastifyRequest, name: string): boolean {
  const value = parameter(request, name) ?? 'false';
  if (value !== 'true' && value !== 'false') throw new BkrepoError('PARAMETER_INVALID', name);
  return value === 'true';
}

/** What the database cannot hold cannot be the name of anything. */
export function requireStorable(text: string, name: string): void {
  if (text.includes('\0') || !text.isWellFormed()) throw new BkrepoError('PARAMETER_INVALID', name);
}
