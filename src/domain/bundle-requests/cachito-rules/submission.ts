import type { Settings } from '../../config.ts';
import { ForbiddenError, InvalidInputError } from '../../errors.ts';
import { mayRepresentOthers, type RoleSettings } from '../../identity/cachito-roles.ts';
import type { Principal } from '../../identity/principal.ts';
import { FLAGS, type Flag, PACKAGE_MANAGERS, type PackageManager } from '../../packages/package.ts';
import { requireClearCredentials } from '../../sources/repository-credentials.ts';
import { requireStorable } from '../../storable-text.ts';
import type { ValidSubmission } from '../bundle-request.ts';
import { replacementsOf, requireReplaceable } from './dependency-replacements.ts';
import { isArrayOfStrings, isJsonObject, type JsonObject, listed } from './json-value.ts';
import { packagesOf } from './package-options.ts';

export type SubmissionSettings = RoleSettings &
  Pick<Settings, 'packageManagers' | 'defaultPackageManagers' | 'mutuallyExclusivePackageManagers'>;

export interface CachitoSubmission extends ValidSubmission {
  rules: 'cachito';
  /** Whom a representative submits for. */
  userName: string | null;
}

const REQUIRED = ['ref', 'repo'];
const PARAMETERS = [...REQUIRED, 'dependency_replacements', 'flags', 'packages', 'pkg_managers', 'user'];

/** A body of POST /requests: checks and texts in the order of cachito.md 3. Throws InvalidInputError, ForbiddenError. */
export function cachitoSubmission(
  body: unknown,
  settings: SubmissionSettings,
  submitter: Principal,
): CachitoSubmission {
  const input = parametersOf(body);
  const ref = refOf(input.ref);
  const repository = repositoryOf(input.repo);
  const named = managersOf(input.pkg_managers, settings);
  const packages = packagesOf(input.packages, named, settings);
  const flags = flagsOf(input.flags);
  const dependencyReplacements = replacementsOf(input.dependency_replacements);
  const userName = userOf(input.user, settings, submitter);
  requireEnabled(named, settings);
  requireReplaceable(dependencyReplacements, named);
  // After everything that has a text of its own.
  requireStorable(input);
  return {
    rules: 'cachito',
    repository,
    requestedRef: ref,
    uploadId: null,
    detect: false,
    packageManagers: PACKAGE_MANAGERS.filter((manager) => named.includes(manager)),
    packages,
    flags,
    dependencyReplacements,
    strictIntegrity: false,
    priority: 'normal',
    userName,
  };
}

function parametersOf(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw new InvalidInputError('The input data must be a JSON object');
  const missing = REQUIRED.filter((name) => !Object.hasOwn(body, name));
  if (missing.length > 0) {
    throw new InvalidInputError(`Missing required parameter(s): ${listed(missing)}`);
  }
  const unknown = Object.keys(body).filter((name) => !PARAMETERS.includes(name));
  if (unknown.length > 0) {
    throw new InvalidInputError(`The following parameters are invalid: ${listed(unknown)}`);
  }
  return body;
}

function refOf(value: unknown): string {
  if (typeof value === 'string' && /^[a-f0-9]{40}$/.test(value)) return value;
  throw new InvalidInputError('The "ref" parameter must be a 40 character hex string');
}

/** Nothing else is checked but what it would give away: an empty or unreachable one fails in the worker. */
function repositoryOf(value: unknown): string {
  if (typeof value !== 'string') throw new InvalidInputError('The "repo" parameter must be a string');
  requireClearCredentials(value);
  return value;
}

/** In the order of the request, each once. */
function managersOf(value: unknown, settings: SubmissionSettings): PackageManager[] {
  if (value === undefined || value === null) return settings.defaultPackageManagers;
  if (!isArrayOfStrings(value)) {
    throw new InvalidInputError('The "pkg_managers" value must be an array of strings');
  }
  const unknown = value.filter((name) => !PACKAGE_MANAGERS.some((known) => known === name));
  if (unknown.length > 0) {
    throw new InvalidInputError(`The following package managers are invalid: ${listed(unknown)}`);
  }
  return [...new Set(value as PackageManager[])];
}

function flagsOf(value: unknown): Flag[] {
  if (value === undefined) return [];
  if (!isArrayOfStrings(value)) throw new InvalidInputError('The "flags" value must be an array of strings');
  const unknown = value.filter((name) => !FLAGS.some((known) => known === name));
  if (unknown.length > 0) throw new InvalidInputError(`Invalid/Inactive flag(s): ${listed(unknown)}`);
  return FLAGS.filter((flag) => value.includes(flag));
}

/** cachito.md 3.3. An empty name is as good as none. */
function userOf(value: unknown, settings: RoleSettings, submitter: Principal): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string') throw new InvalidInputError('The "user" parameter must be a string');
  if (submitter.name === null) {
    throw new InvalidInputError('Cannot set "user" when authentication is disabled');
  }
  if (!mayRepresentOthers(settings, submitter)) {
    throw new ForbiddenError('You are not authorized to create a request on behalf of another user');
  }
  return value;
}

function requireEnabled(managers: readonly PackageManager[], settings: SubmissionSettings): void {
  const disabled = managers.filter((manager) => !settings.packageManagers.includes(manager));
  if (disabled.length > 0) {
    throw new InvalidInputError(`The following package managers are not enabled: ${listed(disabled)}`);
  }
}
