import { stat } from 'node:fs/promises';
import { readSettings, type Settings } from '../../domain/config.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import { type SubmissionInput, submitRequest } from '../client/bundle-requests.ts';
import { connect, type Server } from '../client/connect.ts';
import { type BuildInput, type BuildOutcome, submitBuild } from '../client/image-builds.ts';
import { uploadSource } from '../client/upload-source.ts';
import { followRequest } from '../prefetch/follow-request.ts';
import { openLocalCheckout } from '../prefetch/local-checkout.ts';
import { formatBytes, formatSeconds } from '../prefetch/quantities.ts';
import { sendCheckout } from '../prefetch/send-source.ts';
import { readSourceArgument } from '../prefetch/source-argument.ts';
import { followBuild } from './follow-build.ts';
import { type BuildOptions, type BuildSourceArgument, buildInputOf, sourceOf } from './options.ts';
import { packDirectory } from './pack-directory.ts';
import type { BuildReporter } from './reporter.ts';

/** Where the source is, once the server has it. */
type SentSource = Pick<SubmissionInput, 'repository' | 'ref' | 'upload'>;

/**
 * From a directory, a repository or a bundle to an image in the registry. A hermetic build of the first two makes their
 * bundle first. Without `--server` all of it happens in processes of this command, on the local data directory.
 */
export async function build(
  directory: string | undefined,
  options: BuildOptions,
  reporter: BuildReporter,
  interrupted: AbortSignal,
): Promise<void> {
  const startedAt = performance.now();
  const settings = readSettings();
  const source = sourceOf(directory, options);
  const input = await buildInputOf(source, options, settings.registryDefaultProject);
  const send = await prepareSource(source, { settings, input, reporter, signal: interrupted });
  const server = await connect(options, {
    allowLocalRepositories: send.isLocalRepository,
    onStart: () => reporter.phase('starting a local server'),
  });
  try {
    interrupted.throwIfAborted();
    await server.requireProject(input.project);
    const sent = await send.to(server);
    const from = await buildSource(source, sent, { server, reporter, signal: interrupted });
    const number = await submitBuild(server.client, { ...input, ...from }, interrupted);
    reporter.building(number, server.url);
    const outcome = await followBuild(server.client, number, reporter, interrupted);
    const elapsed = performance.now() - startedAt;
    reporter.result({ ...outcome, elapsedMs: Math.round(elapsed) }, summaryLines(outcome, elapsed));
  } finally {
    await server.stop();
  }
}

// --- source ---------------------------------------------------------------------------------------------------------

interface Preparation {
  settings: Settings;
  input: BuildInput;
  reporter: BuildReporter;
  signal: AbortSignal;
}

/** What can be wrong with a source is said before anything is started. */
interface PreparedSource {
  /** Whether a server of our own must read repositories of this machine. */
  isLocalRepository: boolean;
  to(server: Server): Promise<SentSource>;
}

async function prepareSource(source: BuildSourceArgument, preparation: Preparation): Promise<PreparedSource> {
  const { settings, reporter, signal } = preparation;
  if (source.kind === 'bundle') return { isLocalRepository: false, to: async () => ({}) };
  if (source.kind === 'directory') {
    await requireDirectory(source.path);
    return { isLocalRepository: false, to: (server) => sendDirectory(server, source.path, preparation) };
  }
  const argument = readSourceArgument(source.location);
  const { ref } = source;
  if (argument.kind === 'url') {
    const sent = { repository: argument.url, ...(ref !== null && { ref }) };
    return { isLocalRepository: false, to: async () => sent };
  }
  const checkout = await openLocalCheckout(settings, argument.path, ref, signal);
  for (const warning of checkout.warnings) reporter.warn(warning.replace('the bundle', 'the image'));
  return {
    isLocalRepository: true,
    to: (server) => sendCheckout(server, checkout, { withGitDirectory: false }, settings, reporter, signal),
  };
}

async function requireDirectory(path: string): Promise<void> {
  if ((await stat(path)).isDirectory()) return;
  throw new InvalidInputError(`${path} is no directory`, {
    hint: 'A Dockerfile in it is named with --file.',
  });
}

async function sendDirectory(
  { client }: Server,
  path: string,
  { input, reporter, signal }: Preparation,
): Promise<SentSource> {
  reporter.phase('uploading the source');
  const answered = new AbortController();
  const sending = AbortSignal.any([signal, answered.signal]);
  try {
    const upload = await uploadSource(client, {
      fileName: 'context.tar',
      content: packDirectory(path, {
        dockerfile: input.dockerfile ?? 'Dockerfile',
        time: timeOfEntries(),
        signal: sending,
        onSkipped: (skipped) => reporter.warn(`${skipped} is neither a file nor a directory: it is left out`),
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

/** As reproducible-builds.org has it; else the oldest that an archive can say, so that nothing depends on the clock. */
function timeOfEntries(): number {
  const text = process.env.SOURCE_DATE_EPOCH ?? '';
  return /^\d{1,11}$/.test(text) ? Number(text) : 0;
}

/** A hermetic build is one from a bundle. */
async function buildSource(
  source: BuildSourceArgument,
  sent: SentSource,
  { server, reporter, signal }: { server: Server; reporter: BuildReporter; signal: AbortSignal },
): Promise<Pick<BuildInput, 'upload' | 'git' | 'ref' | 'bundleRequest'>> {
  if (source.kind === 'bundle') return { bundleRequest: source.number };
  if (!source.isHermetic) {
    const { repository, ...rest } = sent;
    return { ...rest, ...(repository !== undefined && { git: repository }) };
  }
  const number = await submitRequest(server.client, sent, signal);
  reporter.submitted(number, server.url);
  reporter.phase('making the bundle');
  await followRequest(server.client, number, reporter, signal);
  return { bundleRequest: number };
}

function summaryLines(outcome: BuildOutcome, elapsedMs: number): string[] {
  const { reference, digest, size, isHermetic, commit, baseImages } = outcome;
  return [
    `image       ${reference}`,
    `digest      ${digest}`,
    ...(size === null ? [] : [`size        ${formatBytes(size)}`]),
    ...(commit === null ? [] : [`commit      ${commit}`]),
    ...baseImages.map(({ name, digest: base }) => `base image  ${base} ${name}`),
    `network     ${isHermetic ? 'none' : 'yes'}`,
    `time        ${formatSeconds(elapsedMs)}`,
  ];
}
