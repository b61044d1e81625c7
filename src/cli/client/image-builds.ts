import type { BuildState } from '../../domain/images/image-build.ts';
import type { LogLine } from './bundle-requests.ts';
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

const LOG = `subscription BuildLog($number: Int!, $afterLine: Int) {
  imageBuildLogPages(number: $number, afterLine: $afterLine) { lines { number at level source text } }
}`;

const LOG_PAGE = `query BuildLogPage($number: Int!, $afterLine: Int!, $limit: Int!) {
  imageBuild(number: $number) {
    log(afterLine: $afterLine, limit: $limit) { lines { number at level source text } total closed }
  }
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

/** Every line of a build's log, until the log is closed. */
export async function* followBuildLog(
  client: StowageClient,
  number: number,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const followed = follow<{ imageBuildLogPages: { lines: LogLine[] } }>(
    client,
    {
      document: LOG,
      variables: { number },
      cursor: 'afterLine',
      position: (item) => item.imageBuildLogPages.lines.at(-1)!.number,
    },
    signal,
  );
  for await (const item of followed) for (const line of item.imageBuildLogPages.lines) yield normal(line);
}

/** The lines that there are now. */
export async function* readBuildLog(client: StowageClient, number: number): AsyncGenerator<LogLine> {
  let afterLine = 0;
  for (;;) {
    const { imageBuild } = await client.run<{ imageBuild: { log: { lines: LogLine[] } } }>(LOG_PAGE, {
      number,
      afterLine,
      limit: LOG_PAGE_LINES,
    });
    const { lines } = imageBuild.log;
    for (const line of lines) yield normal(line);
    const last = lines.at(-1);
    if (!last || lines.length < LOG_PAGE_LINES) return;
    afterLine = last.number;
  }
}

const LOG_PAGE_LINES = 1_000;

function normal(line: LogLine): LogLine {
  return { ...line, level: line.level.toLowerCase() as LogLine['level'] };
}
