import type { FastifyRequest } from 'fastify';
import { BkrepoError } from '../errors.ts';
import { requireStorable } from './query.ts';

/** An object in JSON, of which only known fields are read (bkrepo-docker.md 0.2). What is null is absent. */
export class RequestBody {
  readonly #fields: Record<string, unknown>;

  /** Throws `Invalid request content`. */
  constructor({ body }: FastifyRequest) {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw new BkrepoError('CONTENT_INVALID');
    this.#fields = body as Record<string, unknown>;
  }

  #field(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? null) : null;
  }

  has(name: string): boolean {
    return this.#field(name) !== null;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === null) throw new BkrepoError('PARAMETER_MISSING', name);
    return value;
  }

  text(name: string): string | null {
    const value = this.#field(name);
    if (value === null) return null;
    if (typeof value !== 'string') throw new BkrepoError('PARAMETER_INVALID', name);
    requireStorable(value, name);
    return value;
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = values.find((one) => one === text);
    if (value === undefined) throw new BkrepoError('PARAMETER_INVALID', name);
    return value;
  }

  flag(name: string): boolean | null {
    const value = this.#field(name);
    if (value === null || typeof value === 'boolean') return value;
    throw new BkrepoError('PARAMETER_INVALID', name);
  }

  bytes(name: string): number | null {
    const value = this.#field(name);
    if (value === null) return null;
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw new BkrepoError('PARAMETER_INVALID', name);
    return value as number;
  }

  list(name: string): unknown[] {
    const value = this.#field(name) ?? [];
    if (!Array.isArray(value)) throw new BkrepoError('PARAMETER_INVALID', name);
    return value;
  }

  texts(name: string): string[] {
    const list = this.list(name);
    for (const one of list) {
      if (typeof one !== 'string') throw new BkrepoError('PARAMETER_INVALID', name);
      requireStorable(one, name);
    }
    return list as string[];
  }

  object(name: string): object | null {
    const value = this.#field(name);
    if (value === null) return null;
    if (typeof value !== 'object' || Array.isArray(value)) throw new BkrepoError('PARAMETER_INVALID', name);
    // The database keeps it as JSON, which it cannot with these.
    if (/\\u0000/.test(JSON.stringify(value))) throw new BkrepoError('PARAMETER_INVALID', name);
    return value;
  }
}
