import type { FastifyRequest } from 'fastify';
import { BkrepoError } from '../errors.ts';
import { parameter, required } from './query.ts';

/** As the operations take it: pages count from 1. */
export interface Paging {
  page: number;
  size: number;
}

const LARGEST = 2 ** 31 - 1;

/** Both must be given; page 0 is the first one too (bkrepo-docker.md 0.5). */
export function pagingOf(request: FastifyRequest): Paging {
  const [page, size] = [required(request, 'pageNumber'), required(request, 'pageSize')];
  return pagingFrom(page, size);
}

/** Where the documents have defaults. */
export function optionalPagingOf(request: FastifyRequest): Paging {
  return pagingFrom(parameter(request, 'pageNumber') ?? '1', parameter(request, 'pageSize') ?? '20');
}

export function pagingFrom(page: string, size: string): Paging {
  return {
    page: Math.max(1, numberOf(page, 'pageNumber', 0)),
    size: numberOf(size, 'pageSize', 1),
  };
}

function numberOf(text: string, name: string, least: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= LARGEST)) throw new BkrepoError('PARAMETER_INVALID', name);
  return number;
}
