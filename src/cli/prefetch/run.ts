import { readSettings, type Settings } from '../../domain/config.ts';
import { DomainError } from '../../domain/errors.ts';
import {
  cancelRequest,
  followLog,
  type RequestOutcome,
  readOutcome,
  requestEvents,
  type SubmissionInput,
  submitRequest,
} from '../client/bundle-requests.ts';
import { StowageClient } from '../client/stowage-client.ts';
import { uploadSource } from '../client/upload-source.ts';
import { type LocalCheckout, openLocalCheckout, packCommit } from './local-checkout.ts';
import { startLocalServer } from './local-server.ts';
import { type PrefetchOptions, submissionOf } from './options.ts';
import { outputFiles, requireWritable, writeOutputs } from './outputs.ts';
import type { PrefetchReporter } from './reporter.ts';
import { localRepositoryUrl, readSourceArgument, repositoryName } from './source-argument.ts';
import { resultObject, summaryLines } from './summary.ts';

/** Where the work is done: somebody's server, or one that lives as long as this command. */
interface Server {
  client: StowageClient;
  /** null: our own. */
  url: string | null;
  stop(): Promise<void>;
}

/**
 * The main job for a person at a terminal. With and without `--server` it is the same client of the same API; without,
 * the server is a tree of processes of this command.
 */
export async function prefetch(
  source: string,
  options: PrefetchOptions,
  reporter: PrefetchReporter,
  interrupted: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const settings = readSettings();
  const argument = readSourceArgument(source);
  const asked = submissionOf(options);
  if (options.output !== undefined) await requireWritable(options.output);
  const checkout =
    argument.kind === 'local'
      ? await openLocalCheckout(settings, argument.path, options.ref ?? null, interrupted)
      : null;
  for (const warning of checkout?.warnings ?? []) reporter.warn(warning);

  const server = await connect(options, checkout !== null, reporter);
  try {
    interrupted.throwIfAborted();
    const input = {
      ...asked,
      ...(argument.kind === 'url'
        ? { repository: argument.url, ...(options.ref !== undefined && { ref: options.ref }) }
        : await localSource(server, checkout!, options, settings, reporter, interrupted)),
    };
    const number = await submitRequest(server.client, input, interrupted);
    reporter.submitted(number, server.url);
    reporter.phase('waiting for a worker');
    const outcome = await followToEnd(server.client, number, reporter, interrupted);
    const location = argument.kind === 'url' ? argument.url : checkout!.root;
    const archive = options.output ?? defaultName(location, checkout?.commit ?? outcome.commit, number);
    if (options.output === undefined) await requireWritable(archive);
    const files = outputFiles(archive);
    reporter.phase('downloading the bundle');
    await writeOutputs(server.client, number, outcome.bundle!, files, {
      sbomFormat: options.sbomFormat,
      signal: interrupted,
      onProgress: (bytes, total) => reporter.transferred(bytes, total),
    });
    const elapsed = performance.now() - startedAt;
    reporter.result(resultObject(outcome, files, elapsed), summaryLines(outcome, files, elapsed));
  } finally {
    await server.stop();
  }
}

async function connect(
  options: PrefetchOptions,
  allowLocalRepositories: boolean,
  reporter: PrefetchReporter,
): Promise<Server> {
  if (options.server !== undefined) {
    const client = new StowageClient({ url: options.server, token: options.token ?? null });
    return { client, url: options.server, stop: async () => undefined };
  }
  reporter.phase('starting a local server');
  const local = await startLocalServer({ allowLocalRepositories });
  return { client: new StowageClient(local), url: null, stop: local.stop };
}

/** A remote server cannot see a local repository: it gets the commit's tree. */
async function localSource(
  server: Server,
  checkout: LocalCheckout,
  { flag = [] }: PrefetchOptions,
  settings: Settings,
  reporter: PrefetchReporter,
  signal: AbortSignal,
): Promise<Pick<SubmissionInput, 'repository' | 'ref' | 'upload'>> {
  const { root, commit } = checkout;
  if (server.url === null) return { repository: localRepositoryUrl(root), ref: commit };
  reporter.phase('uploading the source');
  const answered = new AbortController();
  const sending = AbortSignal.any([signal, answered.signal]);
  try {
    const upload = await uploadSource(server.client, {
      fileName: `${repositoryName(root)}-${commit.slice(0, 12)}.tar`,
      content: packCommit(settings, checkout, sending, {
        withGitDirectory: flag.includes('include-git-dir'),
      }),
      signal: sending,
      onProgress: (bytes) => reporter.transferred(bytes, null),
    });
    return { upload };
  } finally {
    // A server that refuses does not read to the end, and its connection would be kept open for the rest.
    answered.abort();
  }
}

function defaultName(location: string, commit: string | null, number: number): string {
  return `${repositoryName(location)}-${commit?.slice(0, 12) ?? number}.tar.gz`;
}

// --- following ------------------------------------------------------------------------------------------------------

const LOG_GRACE_MS = 2_000;

/** Shows events and warnings until the request has ended. Throws its error, or DomainError('interrupted'). */
async function followToEnd(
  client: StowageClient,
  number: number,
  reporter: PrefetchReporter,
  interrupted: AbortSignal,
): Promise<RequestOutcome> {
  const ended = new AbortController();
  const onInterrupt = (): void => {
    reporter.note(`cancelling request ${number}`);
    cancelRequest(client, number).catch((error: Error) => {
      // It may have ended by itself just now; anything else must not keep us.
      setTimeout(() => ended.abort(error), LOG_GRACE_MS);
    });
  };
  interrupted.addEventListener('abort', onInterrupt, { once: true });
  if (interrupted.aborted) onInterrupt();
  const log = showLog(client, number, reporter, ended.signal);
  try {
    const events = requestEvents(client, number, {
      signal: ended.signal,
      onLost: (error) => reporter.warn(`${error.message}; trying again`),
    });
    for await (const event of events) reporter.event(event);
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    interrupted.removeEventListener('abort', onInterrupt);
    const grace = setTimeout(() => ended.abort(), interrupted.aborted ? 0 : LOG_GRACE_MS);
    await log;
    clearTimeout(grace);
    ended.abort();
  }
  if (interrupted.aborted) throw new DomainError('interrupted', 'Interrupted');
  return requireComplete(await readOutcome(client, number), number);
}

async function showLog(
  client: StowageClient,
  number: number,
  reporter: PrefetchReporter,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const line of followLog(client, number, signal)) reporter.log(line);
  } catch {
    // The log is a courtesy; what matters comes as events.
  }
}

function requireComplete(outcome: RequestOutcome | null, number: number): RequestOutcome {
  if (outcome?.state === 'complete' && outcome.bundle) return outcome;
  if (!outcome) throw new DomainError('not-found', `Request ${number} is gone`);
  const { error, state, stateReason } = outcome;
  if (!error) throw new DomainError(`request-${state}`, `Request ${number} is ${state}: ${stateReason}`);
  throw new DomainError(error.code, error.message, {
    ...(error.hint !== null && { hint: error.hint }),
    details: error.details ?? {},
  });
}
