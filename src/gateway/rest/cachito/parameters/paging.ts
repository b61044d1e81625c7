import type { FastifyRequest } from 'fastify';
import { NotFoundError } from '../../../../domain/errors.ts';
import type { CachitoCall } from '../route.ts';
import { integerOf, parameter } from './query.ts';

/** Of the schema's numbers. */
const LARGEST = 2 ** 31 - 1;

/** `page` and `per_page` (cachito.md 1.5): what cannot be a page is none, what cannot be a size is the default. */
export function pagingOf(
  { settings }: Pick<CachitoCall, 'settings'>,
  request: FastifyRequest,
  defaultPerPage: number,
): { page: number; perPage: number } {
  const page = integerOf(parameter(request, 'page') ?? '1');
  const perPage = integerOf(parameter(request, 'per_page') ?? '') ?? defaultPerPage;
  if (page === null || page < 1 || page > LARGEST || perPage <= 0) throw noSuchPage(page);
  return { page, perPage: Math.min(perPage, settings.maxPerPage) };
}

export function noSuchPage(page: number | null): NotFoundError {
  return new NotFoundError(`There is no page ${page}`);
}
