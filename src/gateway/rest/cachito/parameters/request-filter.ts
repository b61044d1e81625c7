import type { FastifyRequest } from 'fastify';
import { InvalidInputError } from '../../../../domain/errors.ts';
import { PACKAGE_MANAGERS } from '../../../../domain/packages/package.ts';
import { isStorable } from '../../../../domain/storable-text.ts';
import type { RequestFilter } from '../operations/requests.ts';
import { CACHITO_STATES, enumValueOf, statesShownAs } from '../shapes/names.ts';
import { errorFilterOf } from './error-filter.ts';
import { type LinkParameter, linkParameter } from './link-parameter.ts';
import { nonEmpty, parameter, parameters } from './query.ts';
import { timeRangeOf } from './time-range.ts';

/** What a list of requests is restricted to, and how its links say so. */
export interface AskedRequests {
  filter: RequestFilter;
  verbose: boolean;
  /** For the links of pages, in their order. */
  linkParameters: LinkParameter[];
}

/** The parameters of `GET /requests` before paging, checked in the order of cachito.md 1.5. */
export function askedRequestsOf(request: FastifyRequest): AskedRequests {
  const state = stateOf(request);
  const repo = nonEmpty(request, 'repo');
  const ref = refOf(request);
  const managers = managersOf(request);
  const created = timeRangeOf(request, 'created_from', 'created_to');
  const errors = errorFilterOf(request);
  const verbose = isTrue(parameter(request, 'verbose'));

  const filter: RequestFilter = {
    ...(state !== null && { states: statesShownAs(state) }),
    ...(repo !== null && { repository: repo }),
    ...(ref !== null && { ref }),
    ...(managers.length > 0 && { packageManagers: managers.map(enumValueOf) }),
    ...(created.since !== null && { createdSince: created.since }),
    ...(created.until !== null && { createdUntil: created.until }),
    ...errors.filter,
  };
  return {
    // What the database cannot hold, no request has.
    filter: isStorable(filter) ? filter : { states: [] },
    verbose,
    linkParameters: [
      ...linkParameter('state', state),
      ...linkParameter('verbose', verbose ? 'True' : null),
      ...linkParameter('repo', repo),
      ...linkParameter('ref', ref),
      ...managers.flatMap((manager) => linkParameter('pkg_manager', manager)),
      ...created.linkParameters,
      ...errors.linkParameters,
    ],
  };
}

function stateOf(request: FastifyRequest): (typeof CACHITO_STATES)[number] | null {
  const text = nonEmpty(request, 'state');
  if (text === null) return null;
  const state = CACHITO_STATES.find((known) => known === text);
  if (state !== undefined) return state;
  throw new InvalidInputError(
    `${text} is not a valid request state. Valid states are: ${CACHITO_STATES.join(', ')}`,
  );
}

function refOf(request: FastifyRequest): string | null {
  const ref = nonEmpty(request, 'ref');
  if (ref !== null) requireRef(ref);
  return ref;
}

export function requireRef(ref: string): void {
  if (!/^[a-f0-9]{40}$/.test(ref)) throw new InvalidInputError(`${ref} is not a valid ref.`);
}

function managersOf(request: FastifyRequest): string[] {
  const names = parameters(request, 'pkg_manager').filter((name) => name !== '');
  const unknown = names.find((name) => !PACKAGE_MANAGERS.some((known) => known === name));
  if (unknown === undefined) return names;
  throw new InvalidInputError(`Cachito does not have package manager ${unknown}.`);
}

/** Everything else is false, and no error. */
function isTrue(text: string | null): boolean {
  return text !== null && ['true', '1'].includes(text.toLowerCase());
}
