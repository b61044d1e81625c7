import type { ContentManifest } from '../../../../domain/bundles/content-manifest.ts';
import type { ReportedComponent } from '../../../../domain/bundles/reported-components.ts';
import { storedOperation } from '../../../graphql/run-operation.ts';

/** Whether a request has what is asked for; read before the large part. */
export interface RequestStateRow {
  number: number;
  state: string;
}

export const REQUEST_STATES = storedOperation<
  { bundleRequestsByNumber: RequestStateRow[] },
  { numbers: number[] }
>(`query CachitoRequestStates($numbers: [Int!]!) {
  bundleRequestsByNumber(numbers: $numbers) { number state }
}`);

export const CONTENT_MANIFESTS = storedOperation<
  { bundleRequestsByNumber: { contentManifest: ContentManifest }[] },
  { numbers: number[] }
>(`query CachitoContentManifests($numbers: [Int!]!) {
  bundleRequestsByNumber(numbers: $numbers) { contentManifest }
}`);

export const REPORTED_COMPONENTS = storedOperation<
  { bundleRequestsByNumber: { reportedComponents: ReportedComponent[] }[] },
  { numbers: number[] }
>(`query CachitoReportedComponents($numbers: [Int!]!) {
  bundleRequestsByNumber(numbers: $numbers) { reportedComponents }
}`);
