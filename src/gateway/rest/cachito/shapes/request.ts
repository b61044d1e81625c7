import type { Dependency, ResolvedPackage } from '../../../../domain/packages/package.ts';
import type { RequestDetails, RequestSummary } from '../operations/requests.ts';
import { managersOf, nameOf, stateOf, timestampOf } from './names.ts';

/** The JSON of a request in lists (cachito.md 1.6). */
export function shortRequest(request: RequestSummary): object {
  return {
    ...sharedKeys(request),
    packages: request.packagesCount,
    dependencies: request.dependenciesCount,
  };
}

/** The JSON of one request, or of a list that was asked for with `verbose`. */
export function verboseRequest(request: RequestDetails, baseUrl: string): object {
  const { number, history, packageReport } = request;
  const url = `${baseUrl}/api/v1/requests/${number}`;
  const report = stateOf(request.state) === 'complete' ? packageReport : null;
  return {
    ...sharedKeys(request),
    configuration_files: `${url}/configuration-files`,
    content_manifest: `${url}/content-manifest`,
    environment_variables_info: `${url}/environment-variables`,
    logs: { url: `${url}/logs` },
    state_history: history.toReversed().map(({ state, reason, atExact }) => ({
      state: stateOf(state),
      state_reason: reason,
      updated: timestampOf(atExact),
    })),
    packages: (report?.packages ?? []).map((one) => ({
      ...packageKeys(one),
      dependencies: one.dependencies.map(dependencyKeys),
    })),
    dependencies: (report?.dependencies ?? []).map(dependencyKeys),
  };
}

function sharedKeys(request: RequestSummary): Record<string, unknown> {
  const { error } = request;
  return {
    id: request.number,
    created: timestampOf(request.createdAtExact),
    repo: request.repository,
    ref: request.commit ?? request.requestedRef,
    pkg_managers: managersOf(request.packageManagers),
    user: request.user?.name ?? null,
    submitted_by: request.submittedBy?.name ?? null,
    environment_variables: Object.fromEntries(request.environment.map(({ name, value }) => [name, value])),
    flags: request.flags.map(nameOf).sort(),
    state: stateOf(request.state),
    state_reason: request.stateReason,
    updated: timestampOf(request.updatedAtExact),
    ...(error !== null && { error_origin: error.errorOrigin, error_type: error.errorType }),
  };
}

/** `path` only when it is not the root. */
export function packageKeys({ name, type, version, path }: ResolvedPackage): object {
  return { name, type, version, ...(path !== '.' && { path }) };
}

function dependencyKeys({ name, type, version, replaces, dev }: Dependency): object {
  return { name, type, version, replaces, ...(dev !== undefined && { dev }) };
}
