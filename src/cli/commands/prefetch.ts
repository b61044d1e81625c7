import { Command, Option } from 'commander';
import { DomainError } from '../../domain/errors.ts';
import { EXIT_INTERRUPTED } from '../exit-codes.ts';
import type { PrefetchOptions } from '../prefetch/options.ts';
import { prefetchReporter } from '../prefetch/reporter.ts';
import { printableError } from '../print-error.ts';
import { onTermination } from '../termination.ts';
import { serverOption, tokenOption } from './server-options.ts';

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

export function prefetchCommand(): Command {
  return new Command('prefetch')
    .description('make a bundle of one commit and everything that it needs to build offline')
    .argument('<repository>', 'URL of a git repository, or the path of one on this machine')
    .option('--ref <ref>', 'commit, branch or tag (default: HEAD)')
    .option('--npm <path>', 'an npm package in this directory; may be given again', collect)
    .option('--yarn <path>', 'a yarn 1 package in this directory; may be given again', collect)
    .option('--pip <path>', 'a Python package in this directory; may be given again', collect)
    .option('--gomod <path>', 'a Go module in this directory; may be given again', collect)
    .option('--rubygems <path>', 'a Gemfile.lock in this directory; may be given again', collect)
    .option('--git-submodule', 'the submodules of the repository, one level deep')
    .option('--requirements <file>', 'requirements file, relative to --pip; may be given again', collect)
    .option('--requirements-build <file>', 'build requirements, relative to --pip', collect)
    .option(
      '--wheels <filter>',
      'wheels for --pip: ":all:" or names, for CPython on Linux x86_64; or fields such as ' +
        '"packages=numpy,scipy;arch=aarch64;py_version=3.12" (also os, py_impl, abi, platform)',
    )
    .option('--flag <name>', 'a flag of the request, for example gomod-vendor-check', collect)
    .option('--strict-integrity', 'refuse dependencies for which no digest is known')
    .option('--source-only', 'no dependencies')
    .option('--output <file>', 'the bundle (default: <repository>-<commit>.tar.gz)')
    .addOption(
      new Option('--sbom-format <format>', 'of the SBOM beside the bundle')
        .choices(['cyclonedx-1.6', 'spdx-2.3'])
        .default('cyclonedx-1.6'),
    )
    .option('--project <name>', 'project of the server that the request belongs to')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--json', 'one JSON object a line on standard output')
    .addHelpText('after', '\nWithout options that name package managers they are detected.')
    .action(run);
}

async function run(source: string, options: PrefetchOptions): Promise<void> {
  const interruption = new AbortController();
  const reporter = prefetchReporter({ json: options.json ?? false });
  const stopListening = onTermination(
    () => interruption.abort(new DomainError('interrupted', 'Interrupted')),
    () => process.exit(EXIT_INTERRUPTED),
  );
  try {
    const { prefetch } = await import('../prefetch/run.ts');
    await prefetch(source, options, reporter, interruption.signal);
  } catch (error) {
    // Whatever an interruption breaks off is the interruption.
    const cause = interruption.signal.aborted ? interruption.signal.reason : error;
    const printable = printableError(cause);
    reporter.error(printable);
    process.exitCode = printable.exitCode;
  } finally {
    reporter.stop();
    stopListening();
  }
}
