import type { PackageReport } from '../../../../domain/bundle-requests/report.ts';
import { storedOperation } from '../../../graphql/run-operation.ts';

/** What of a request both forms of its JSON show (cachito.md 1.6), by the names of the schema. */
export interface RequestSummary {
  number: number;
  version: number;
  state: string;
  stateReason: string;
  repository: string | null;
  requestedRef: string | null;
  commit: string | null;
  packageManagers: string[];
  flags: string[];
  createdAtExact: string;
  updatedAtExact: string;
  user: { name: string } | null;
  submittedBy: { name: string } | null;
  packagesCount: number | null;
  dependenciesCount: number | null;
  environment: { name: string; value: string }[];
  error: { errorOrigin: string; errorType: string } | null;
}

export interface RequestDetails extends RequestSummary {
  history: { state: string; reason: string; atExact: string }[];
  packageReport: PackageReport | null;
}

/** The schema's `BundleRequestFilter`, as far as this dialect uses it. */
export interface RequestFilter {
  states?: string[];
  repository?: string;
  ref?: string;
  packageManagers?: string[];
  createdSince?: string;
  createdUntil?: string;
  errorOrigin?: string;
  errorType?: string;
}

/** What is asked first of every request: what was rendered of this version already is not asked for again. */
export interface RequestVersion {
  number: number;
  version: number;
}

const SUMMARY = `fragment Summary on BundleRequest {
  number version state stateReason repository requestedRef commit packageManagers flags createdAtExact updatedAtExact
  user { name }
  submittedBy { name }
  packagesCount dependenciesCount
  environment { name value }
  error { errorOrigin errorType }
}`;

export const REQUEST_VERSION = storedOperation<
  { bundleRequestVersion: RequestVersion | null },
  { number: number }
>(`query CachitoRequestVersion($number: Int!) {
  bundleRequestVersion(number: $number) { number version }
}`);

export const REQUEST_PAGE = storedOperation<
  { bundleRequestPage: { total: number; versions: RequestVersion[] } },
  { page: number; perPage: number; filter: RequestFilter }
>(`query CachitoRequestPage($page: Int!, $perPage: Int!, $filter: BundleRequestFilter) {
  bundleRequestPage(page: $page, perPage: $perPage, filter: $filter) { total versions { number version } }
}`);

export const LATEST_REQUEST = storedOperation<
  { latestBundleRequest: RequestVersion | null },
  { repositoryName: string; ref: string }
>(`query CachitoLatestRequest($repositoryName: String!, $ref: String!) {
  latestBundleRequest(repositoryName: $repositoryName, ref: $ref) { number version }
}`);

export const REQUEST_SUMMARIES = storedOperation<
  { bundleRequestsByNumber: RequestSummary[] },
  { numbers: number[] }
>(`query CachitoRequestSummaries($numbers: [Int!]!) {
  bundleRequestsByNumber(numbers: $numbers) { ...Summary }
}
${SUMMARY}`);

export const REQUEST_DETAILS = storedOperation<
  { bundleRequestsByNumber: RequestDetails[] },
  { numbers: number[] }
>(`query CachitoRequestDetails($numbers: [Int!]!) {
  bundleRequestsByNumber(numbers: $numbers) {
    ...Summary
    history { state reason atExact }
    packageReport
  }
}
${SUMMARY}`);

export const REQUEST_PACKAGES = storedOperation<
  { bundleRequest: { state: string; packageReport: PackageReport | null } | null },
  { number: number }
>(`query CachitoRequestPackages($number: Int!) {
  bundleRequest(number: $number) { state packageReport }
}`);
