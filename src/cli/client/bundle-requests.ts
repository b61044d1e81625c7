import type {
  RequestEventData,
  RequestState,
  StepCounters,
  StepTask,
} from '../../domain/bundle-requests/bundle-request.ts';
import type { PackageManager, PackageOptions } from '../../domain/packages/package.ts';
import { follow } from './follow.ts';
import type { StowageClient } from './stowage-client.ts';

/** Operations of the public schema (schema/schema.graphql) that the command line uses, and the shapes of their answers. */
export interface SubmissionInput {
  repository?: string;
  ref?: string;
  upload?: number;
  project?: string;
  packageManagers?: string[];
  packages?: ({ manager: string } & Partial<PackageOptions>)[];
  flags?: string[];
  strictIntegrity?: boolean;
}

export interface RequestEvent {
  version: number;
  at: string;
  type: keyof RequestEventData;
  data: RequestEventData[keyof RequestEventData];
}

export interface BundleInfo {
  manifestDigest: string;
  tarDigest: string;
  tarSize: number;
  archiveDigest: string;
  archiveSize: number;
  reproducibleDigest: string | null;
  entries: number;
}

export interface RequestOutcome {
  number: number;
  repository: string | null;
  commit: string | null;
  state: RequestState;
  stateReason: string;
  attempt: number;
  packagesCount: number | null;
  dependenciesCount: number | null;
  createdAt: string;
  finishedAt: string | null;
  error: {
    code: string;
    message: string;
    hint: string | null;
    details: Record<string, unknown> | null;
  } | null;
  steps: { task: StepTask; packageManager: string | null; progress: StepCounters | null }[];
  bundle: BundleInfo | null;
}

const ERROR_FIELDS = '__typename ... on Error { code message hint details }';

const SUBMIT = `mutation Submit($input: SubmitBundleRequestInput!) {
  submitBundleRequest(input: $input) {
    ${ERROR_FIELDS}
    ... on MutationSubmitBundleRequestSuccess { data { number } }
  }
}`;

const CANCEL = `mutation Cancel($number: Int!) {
  cancelBundleRequest(number: $number) {
    ${ERROR_FIELDS}
    ... on MutationCancelBundleRequestSuccess { data { number } }
  }
}`;

const OUTCOME = `query Outcome($number: Int!) {
  bundleRequest(number: $number) {
    number repository commit state stateReason attempt packagesCount dependenciesCount createdAt finishedAt
    error { code message hint details }
    steps { task packageManager progress { packages files bytes cachedFiles expectedPackages expectedFiles } }
    bundle { manifestDigest tarDigest tarSize archiveDigest archiveSize reproducibleDigest entries }
  }
}`;

const EVENTS = `subscription Events($number: Int!, $afterVersion: Int) {
  bundleRequestEvents(number: $number, afterVersion: $afterVersion) { version at type data }
}`;

export async function submitRequest(
  client: StowageClient,
  input: SubmissionInput,
  signal?: AbortSignal,
): Promise<number> {
  const { number } = await client.mutate<{ number: number }>(
    SUBMIT,
    'submitBundleRequest',
    { input },
    signal,
  );
  return number;
}

export async function cancelRequest(client: StowageClient, number: number): Promise<void> {
  await client.mutate(CANCEL, 'cancelBundleRequest', { number });
}

/** null: there is no such request. */
export async function readOutcome(client: StowageClient, number: number): Promise<RequestOutcome | null> {
  const { bundleRequest } = await client.run<{ bundleRequest: RequestOutcome | null }>(OUTCOME, { number });
  if (!bundleRequest) return null;
  return { ...bundleRequest, state: bundleRequest.state.toLowerCase() as RequestState };
}

/** Every event of a request from its first, until it has ended. */
export async function* requestEvents(
  client: StowageClient,
  number: number,
  options: { signal: AbortSignal; onLost?: (error: Error) => void },
): AsyncGenerator<RequestEvent> {
  const followed = follow<{ bundleRequestEvents: RequestEvent }>(
    client,
    {
      document: EVENTS,
      variables: { number },
      cursor: 'afterVersion',
      position: (item) => item.bundleRequestEvents.version,
      ...(options.onLost && { onLost: options.onLost }),
    },
    options.signal,
  );
  for await (const { bundleRequestEvents: event } of followed) {
    yield { ...event, type: event.type.toLowerCase() as RequestEvent['type'] };
  }
}

/** Names as the schema's enums spell them. */
export function enumName(name: PackageManager | string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
