import { readSettings } from '../../domain/config.ts';
import { submitRequest } from '../client/bundle-requests.ts';
import { connect } from '../client/connect.ts';
import { followRequest } from './follow-request.ts';
import { openLocalCheckout } from './local-checkout.ts';
import { type PrefetchOptions, submissionOf } from './options.ts';
import { outputFiles, requireWritable, writeOutputs } from './outputs.ts';
import type { PrefetchReporter } from './reporter.ts';
import { sendCheckout } from './send-source.ts';
import { readSourceArgument, repositoryName } from './source-argument.ts';
import { resultObject, summaryLines } from './summary.ts';

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
  const withGitDirectory = (options.flag ?? []).includes('include-git-dir');
  if (options.output !== undefined) await requireWritable(options.output);
  const checkout =
    argument.kind === 'local'
      ? await openLocalCheckout(settings, argument.path, options.ref ?? null, interrupted)
      : null;
  for (const warning of checkout?.warnings ?? []) reporter.warn(warning);

  const server = await connect(options, {
    allowLocalRepositories: checkout !== null,
    onStart: () => reporter.phase('starting a local server'),
  });
  try {
    interrupted.throwIfAborted();
    const input = {
      ...asked,
      ...(argument.kind === 'url'
        ? { repository: argument.url, ...(options.ref !== undefined && { ref: options.ref }) }
        : await sendCheckout(server, checkout!, { withGitDirectory }, settings, reporter, interrupted)),
    };
    const number = await submitRequest(server.client, input, interrupted);
    reporter.submitted(number, server.url);
    reporter.phase('waiting for a worker');
    const outcome = await followRequest(server.client, number, reporter, interrupted);
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

function defaultName(location: string, commit: string | null, number: number): string {
  return `${repositoryName(location)}-${commit?.slice(0, 12) ?? number}.tar.gz`;
}
