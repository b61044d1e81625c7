import { Command } from 'commander';
import { DomainError } from '../../domain/errors.ts';
import type { BuildOptions } from '../build/options.ts';
import { buildReporter } from '../build/reporter.ts';
import { EXIT_INTERRUPTED } from '../exit-codes.ts';
import { printableError } from '../print-error.ts';
import { onTermination } from '../termination.ts';
import { serverOption, tokenOption } from './server-options.ts';

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

export function buildCommand(): Command {
  return new Command('build')
    .description('build an image and keep it in the registry')
    .argument('[directory]', 'with a Dockerfile; of it goes what .dockerignore leaves (default: .)')
    .option(
      '-t, --tag <name>',
      '[PROJECT/[REPOSITORY/]]NAME[:TAG] of the image (default: the name of the directory or repository)',
    )
    .option('--bundle <number>', 'from the bundle of this request, without network')
    .option('--git <repository>', 'from a commit: URL of a git repository, or the path of one here')
    .option('--ref <ref>', 'commit, branch or tag for --git (default: HEAD)')
    .option('--hermetic', 'make a bundle of the source first, and build from it without network')
    .option('--network', 'give the steps a network, also of a bundle')
    .option('--no-network', 'give the steps no network')
    .option('-f, --file <path>', 'the Dockerfile, in the source (default: Dockerfile)')
    .option('--target <stage>', 'stage to end at (default: the last one)')
    .option('--build-arg <name=value>', 'value of an ARG; may be given again', collect)
    .option('--secret <secret>', 'id=NAME,src=FILE or id=NAME,env=VARIABLE; may be given again', collect)
    .option('--label <name=value>', 'label of the image; may be given again', collect)
    .option('--platform <platform>', 'for example linux/arm64')
    .option('--no-cache', 'use no layers of earlier builds')
    .option('--timeout <duration>', 'end the build after this time, for example 15m')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--json', 'one JSON object a line on standard output')
    .action(run);
}

async function run(directory: string | undefined, options: BuildOptions): Promise<void> {
  const interruption = new AbortController();
  const reporter = buildReporter({ json: options.json ?? false });
  const stopListening = onTermination(
    () => interruption.abort(new DomainError('interrupted', 'Interrupted')),
    () => process.exit(EXIT_INTERRUPTED),
  );
  try {
    const { build } = await import('../build/run.ts');
    await build(directory, options, reporter, interruption.signal);
  } catch (error) {
    // Whatever an interruption breaks off is the interruption.
    const printable = printableError(interruption.signal.aborted ? interruption.signal.reason : error);
    reporter.error(printable);
    process.exitCode = printable.exitCode;
  } finally {
    reporter.stop();
    stopListening();
  }
}
