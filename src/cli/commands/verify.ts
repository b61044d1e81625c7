import { Command } from 'commander';
import { DomainError } from '../../domain/errors.ts';
import { EXIT_INTERRUPTED, exitCodeOf } from '../exit-codes.ts';
import { printableError } from '../print-error.ts';
import { onTermination } from '../termination.ts';
import type { VerifyOptions } from '../verify/run.ts';

export function verifyCommand(): Command {
  return new Command('verify')
    .description('check a bundle against its manifest, SBOM and provenance, offline')
    .argument('<file>', 'the bundle, with the files that prefetch wrote beside it')
    .option('--manifest <file>', 'the manifest (default: the one beside the bundle)')
    .option('--key <file>', 'public key (PEM) that must have signed the provenance')
    .option('--json', 'the report as JSON')
    .addHelpText(
      'after',
      '\nWithout --key the signature is checked with the key of the data directory, if that is the one it names.',
    )
    .action(verify);
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  if (!options.json) return await run(file, options);
  try {
    await run(file, options);
  } catch (error) {
    const printable = printableError(error);
    process.stdout.write(`${JSON.stringify({ ok: false, error: printable }, null, 2)}\n`);
    process.exitCode = printable.exitCode;
  }
}

async function run(file: string, options: VerifyOptions): Promise<void> {
  const [{ verifyFile }, { failureCode, reportLines }] = await Promise.all([
    import('../verify/run.ts'),
    import('../verify/report.ts'),
  ]);
  const interruption = new AbortController();
  const stopListening = onTermination(
    () => interruption.abort(new DomainError('interrupted', 'Interrupted')),
    () => process.exit(EXIT_INTERRUPTED),
  );
  const progress = new Percentage(process.stderr, options.json ?? false);
  try {
    const report = await verifyFile(file, options, interruption.signal, (bytes, total) =>
      progress.show(bytes, total),
    );
    progress.clear();
    process.stdout.write(
      options.json ? `${JSON.stringify(report, null, 2)}\n` : `${reportLines(report).join('\n')}\n`,
    );
    if (!report.ok) process.exitCode = exitCodeOf(failureCode(report));
  } finally {
    progress.clear();
    stopListening();
  }
}

const EVERY_MS = 500;

/** One line on a terminal that says how far it is. */
class Percentage {
  readonly #stream: NodeJS.WriteStream;
  readonly #isSilent: boolean;
  #shownAt = performance.now();
  #isShown = false;

  constructor(stream: NodeJS.WriteStream, isSilent: boolean) {
    this.#stream = stream;
    this.#isSilent = isSilent || !stream.isTTY;
  }

  show(bytes: number, total: number): void {
    const now = performance.now();
    if (this.#isSilent || now - this.#shownAt < EVERY_MS) return;
    this.#shownAt = now;
    this.#isShown = true;
    this.#stream.write(`\rverifying ${total === 0 ? 100 : Math.floor((100 * bytes) / total)} %`);
  }

  clear(): void {
    if (this.#isShown) this.#stream.write('\r\x1b[K');
    this.#isShown = false;
  }
}
