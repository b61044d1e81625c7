import type { FastifyRequest } from 'fastify';
import { InvalidInputError } from '../../../../domain/errors.ts';
import { enumValueOf } from '../shapes/names.ts';
import { nonEmpty } from './query.ts';

const FORMATS = ['offline', 'registry'];

/** `format` as the schema names it: for builds that fetch nothing, or from our registries (cachito.md 4.5). */
export function setupFormatOf(request: FastifyRequest): string | null {
  const format = nonEmpty(request, 'format');
  if (format === null) return null;
  if (FORMATS.includes(format)) return enumValueOf(format);
  throw new InvalidInputError(`${format} is not a valid format. Valid formats are: ${FORMATS.join(', ')}`);
}
