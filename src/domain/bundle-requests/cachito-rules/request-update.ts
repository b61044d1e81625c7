import type { EnvironmentVariable } from '../../bundles/bundle-file.ts';
import { InvalidInputError } from '../../errors.ts';
import { requireStorable } from '../../storable-text.ts';
import { isJsonObject, listed } from './json-value.ts';

/** What a worker of Cachito's may change of a request (cachito.md 1.9). */
export interface RequestUpdate {
  /** null: stays as it is. The state is checked against the request's own (see state-change.ts). */
  change: { state: string; reason: string } | null;
  error: { origin: 'client' | 'server'; type: string } | null;
  environment: EnvironmentVariable[];
  packagesCount: number | null;
  dependenciesCount: number | null;
}

const KEYS = [
  'dependencies_count',
  'environment_variables',
  'error_origin',
  'error_type',
  'packages_count',
  'state',
  'state_reason',
];

/** A body of PATCH /requests/{id}: the checks that need no request, in their order. Throws InvalidInputError. */
export function requestUpdate(body: unknown): RequestUpdate {
  if (!isJsonObject(body)) throw new InvalidInputError('The input data must be a JSON object');
  const keys = Object.keys(body);
  if (keys.length === 0) {
    throw new InvalidInputError('At least one key must be specified to update the request');
  }
  const unknown = keys.filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) {
    throw new InvalidInputError(`The following keys are not allowed: ${listed(unknown)}`);
  }
  for (const key of keys) requireValue(key, body[key]);
  const { state, state_reason: reason, error_origin: origin, error_type: type } = body;
  if (state !== undefined && reason === undefined) {
    throw new InvalidInputError('The "state_reason" key is required when "state" is supplied');
  }
  if (reason !== undefined && state === undefined) {
    throw new InvalidInputError('The "state" key is required when "state_reason" is supplied');
  }
  requireStorable(body);
  return {
    change: state === undefined ? null : { state: state as string, reason: reason as string },
    error:
      origin === undefined || type === undefined
        ? null
        : { origin: origin as 'client' | 'server', type: type as string },
    environment: variablesOf(body.environment_variables as RawVariables | undefined),
    packagesCount: (body.packages_count as number | undefined) ?? null,
    dependenciesCount: (body.dependencies_count as number | undefined) ?? null,
  };
}

function requireValue(key: string, value: unknown): void {
  if (key === 'environment_variables') {
    requireVariables(value);
  } else if (key === 'packages_count' || key === 'dependencies_count') {
    if (!isCount(value)) throw new InvalidInputError(`The value for "${key}" must be an integer`);
  } else if (typeof value !== 'string') {
    throw new InvalidInputError(`The value for "${key}" must be a string`);
  } else if (key === 'error_origin' && value !== 'client' && value !== 'server') {
    throw new InvalidInputError(`${value} is not a valid error origin. Valid origins are: client, server`);
  }
}

/** As the database has room for it. */
function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Math.abs(value as number) < 2 ** 31;
}

type RawVariables = Record<string, { kind: EnvironmentVariable['kind']; value: string }>;

const INFO_KEYS = ['kind', 'value'];
const KINDS = ['path', 'literal'];

function requireVariables(variables: unknown): void {
  if (!isJsonObject(variables)) {
    throw new InvalidInputError('The value for "environment_variables" must be an object');
  }
  for (const info of Object.values(variables)) {
    if (!isJsonObject(info)) {
      throw new InvalidInputError('The info of environment variables must be an object');
    }
    const missing = INFO_KEYS.filter((key) => !Object.hasOwn(info, key));
    if (missing.length > 0) {
      throw new InvalidInputError(
        `The following keys must be set in the info of the environment variables: ${listed(missing)}`,
      );
    }
    const unknown = Object.keys(info).filter((key) => !INFO_KEYS.includes(key));
    if (unknown.length > 0) {
      throw new InvalidInputError(
        `The following keys are not allowed in the info of the environment variables: ${listed(unknown)}`,
      );
    }
    for (const key of ['value', 'kind']) {
      if (typeof info[key] !== 'string') {
        throw new InvalidInputError(`The ${key} of environment variables must be a string`);
      }
    }
    if (!KINDS.includes(info.kind as string)) {
      throw new InvalidInputError(`The environment variable kind, ${info.kind}, is not supported`);
    }
  }
}

function variablesOf(variables: RawVariables = {}): EnvironmentVariable[] {
  return Object.entries(variables).map(([name, { kind, value }]) => ({ name, kind, value }));
}
