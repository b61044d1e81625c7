import type { FastifyRequest } from 'fastify';
import { InvalidInputError } from '../../../../domain/errors.ts';
import { isStorable } from '../../../../domain/storable-text.ts';
import { type LinkParameter, linkParameter } from './link-parameter.ts';
import { nonEmpty } from './query.ts';

const ORIGINS = ['client', 'server'];

/** `error_origin` and `error_type`: of the recorded error, exactly. */
export function errorFilterOf(request: FastifyRequest): {
  filter: { errorOrigin?: string; errorType?: string };
  linkParameters: LinkParameter[];
} {
  const origin = nonEmpty(request, 'error_origin');
  const type = nonEmpty(request, 'error_type');
  if (origin !== null && !ORIGINS.includes(origin)) {
    throw new InvalidInputError(
      `${origin} is not a valid error origin. Valid origins are: ${ORIGINS.join(', ')}`,
    );
  }
  return {
    filter: {
      ...(origin !== null && { errorOrigin: origin }),
      // What the database cannot hold, no error is called.
      ...(type !== null && { errorType: isStorable(type) ? type : '' }),
    },
    linkParameters: [...linkParameter('error_origin', origin), ...linkParameter('error_type', type)],
  };
}
