import { Command } from 'commander';
import { DomainError } from '../../domain/errors.ts';
import { EXIT_INTERRUPTED, exitCodeOf } from '../exit-codes.ts';
import { printableError } from '../print-error.ts';
import { onTermination } from '../termination.ts';
import type { VerificationReport, VerifyOptions } from '../verify/run.ts';
import type { ImageReport, VerifyImageOptions } from '../verify/verify-image.ts';
import { serverOption, tokenOption } from './server-options.ts';

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
    .action(verify)
    .enablePositionalOptions()
    .addCommand(verifyImageCommand());
}

function verifyImageCommand(): Command {
  return new Command('image')
    .description('follow an image of any registry to the bundle and the commit that it was built from')
    .argument('<reference>', '[HOST/]NAME[:TAG|@DIGEST]; without a host on the server')
    .option('--key <file>', 'public key (PEM) that must have signed (default: those of the server)')
    .option('--commit <id>', 'commit that the image must come from')
    .option('--plain-http', 'talk to the registry without TLS; loopback always')
    .addOption(serverOption())
    .addOption(tokenOption())
    .option('--json', 'the report as JSON')
    .action(async (reference: string, options: VerifyImageOptions) => {
      await reported(options, async () => {
        const [{ verifyImage }, { imageReportLines }] = await Promise.all([
          import('../verify/verify-image.ts'),
          import('../verify/image-report.ts'),
        ]);
        await interruptible(async (signal) => {
          const report = await verifyImage(reference, options, signal);
          await print(report, imageReportLines(report), options);
        });
      });
    });
}

async function verify(file: string, options: VerifyOptions): Promise<void> {
  await reported(options, () => run(file, options));
}

/** With --json also what prevented a report is JSON. */
async function reported(options: { json?: boolean }, work: () => Promise<void>): Promise<void> {
  if (!options.json) return await work();
  try {
    await work();
  } catch (error) {
    const printable = printableError(error);
    process.stdout.write(`${JSON.stringify({ ok: false, error: printable }, null, 2)}\n`);
    process.exitCode = printable.exitCode;
  }
}

async function run(file: string, options: VerifyOptions): Promise<void> {
  const [{ verifyFile }, { reportLines }] = await Promise.all([
    import('../verify/run.ts'),
    import('../verify/report.ts'),
  ]);
  const progress = new Percentage(process.stderr, options.json ?? false);
  try {
    await interruptible(async (signal) => {
      const report = await verifyFile(file, options, signal, (bytes, total) => progress.show(bytes, total));
      progress.clear();
      await print(report, reportLines(report), options);
    });
  } finally {
    progress.clear();
  }
}

async function interruptible(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = new AbortController();
  const stopListening = onTermination(
    () => interruption.abort(new DomainError('interrupted', 'Interrupted')),
    () => process.exit(EXIT_INTERRUPTED),
  );
  try {
    await work(interruption.signal);
  } finally {
    stopListening();
  }
}

async function print(
  report: VerificationReport | ImageReport,
  lines: readonly string[],
  { json }: { json?: boolean },
): Promise<void> {
  const { failureCode } = await import('../verify/report.ts');
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${lines.join('\n')}\n`);
  if (!report.ok) process.exitCode = exitCodeOf(failureCode(report));
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
