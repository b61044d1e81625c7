import type { BuildState } from '../../domain/images/image-build.ts';
import { follow } from './follow.ts';
import type { StowageClient } from './stowage-client.ts';

/** Operations on image builds of the public schema, and the shapes of their answers. */
export interface BuildInput {
  project: string;
  /** Of the registry. */
  repository: string;
  image: string;
  /** The tag. */
  version: string;
  /** Exactly one of these. */
  upload?: number;
  git?: string;
  bundleRequest?: number;
  /** With `git`. */
  ref?: string;
  dockerfile?: string;
  target?: string;
  buildArguments?: NamedValue[];
  secrets?: NamedValue[];
  labels?: NamedValue[];
  platform?: string;
  useCache?: boolean;
  /** Whether steps have a network; default: not for a bundle. */
  network?: boolean;
  timeoutSeconds?: number;
}

export interface NamedValue {
  name: string;
  value: string;
}

export interface BuildOutcome {
  number: number;
  state: BuildState;
  attempt: number;
  commit: string | null;
  isHermetic: boolean;
  /** `project/repository/name:tag` in the registry. */
  reference: string;
  digest: string | null;
  size: number | null;
  baseImages: { name: string; digest: string }[];
  queuePosition: number | null;
  failure: { reason: string; message: string; details: Record<string, unknown> | null } | null;
}

export interface BuildEvent {
  version: number;
  at: string;
  type: 'state' | 'source' | 'queue';
  data: { state?: BuildState; commit?: string; attempt?: number; position?: number };
}

const ERROR_FIELDS = '__typename ... on Error { code message hint details }';

const SUBMIT = `mutation Build($input: BuildImageInput!) {
  buildImage(input: $input) {
    ${ERROR_FIELDS}
    ... on MutationBuildImageSuccess { data { number } }
  }
}`;

const CANCEL = `mutation CancelBuild($number: Int!) {
  cancelImageBuild(number: $number) {
    ${ERROR_FIELDS}
    ... on MutationCancelImageBuildSuccess { data { number } }
  }
}`;

const OUTCOME = `query BuildOutcome($number: Int!) {
  imageBuild(number: $number) {
    number state attempt commit isHermetic reference digest size queuePosition
    baseImages { name digest } failure { reason message details }
  }
}`;

const EVENTS = `subscription BuildEvents($number: Int!, $afterVersion: Int) {
  imageBuildEvents(number: $number, afterVersion: $afterVersion) { version at type data }
}`;

export async function submitBuild(
  client: StowageClient,
  input: BuildInput,
  signal?: AbortSignal,
): Promise<number> {
  const { number } = await client.mutate<{ number: number }>(SUBMIT, 'buildImage', { input }, signal);
  return number;
}

export async function cancelBuild(client: StowageClient, number: number): Promise<void> {
  await client.mutate(CANCEL, 'cancelImageBuild', { number });
}

/** null: there is no such build. */
export async function readBuild(client: StowageClient, number: number): Promise<BuildOutcome | null> {
  const { imageBuild } = await client.run<{ imageBuild: BuildOutcome | null }>(OUTCOME, { number });
  if (!imageBuild) return null;
  const { state, failure } = imageBuild;
  const reason = failure?.reason.toLowerCase().replaceAll('_', '-');
  return {
    ...imageBuild,
    state: state.toLowerCase() as BuildState,
    failure: failure && { ...failure, reason: reason! },
  };
}

/** Every event of a build from its first, until it has ended. */
export async function* buildEvents(
  client: StowageClient,
  number: number,
  options: { signal: AbortSignal; onLost?: (error: Error) => void },
): AsyncGenerator<BuildEvent> {
  const followed = follow<{ imageBuildEvents: BuildEvent }>(
    client,
    {
      document: EVENTS,
      variables: { number },
      cursor: 'afterVersion',
      position: (item) => item.imageBuildEvents.version,
      ...(options.onLost && { onLost: options.onLost }),
    },
    options.signal,
  );
  for await (const { imageBuildEvents: event } of followed) {
    yield { ...event, type: event.type.toLowerCase() as BuildEvent['type'] };
  }
}
