import { CommanderError } from 'commander';
import { DomainError } from '../domain/errors.ts';
import { printableText } from '../domain/printable-text.ts';
import { maskCredentials } from '../workers/downloads/mask-credentials.ts';
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE, exitCodeOf } from './exit-codes.ts';

/** An error as a person at a terminal, or a program reading `--json`, gets it. */
export interface PrintableError {
  code: string;
  message: string;
  hint: string | null;
  details: Record<string, unknown>;
  exitCode: number;
}

/** The one mapper of the command line: every error that ends a command passes here. */
export function printableError(error: unknown): PrintableError {
  if (error instanceof CommanderError) return usageError(error);
  if (error instanceof DomainError) {
    const { code, message, hint, details } = error;
    return { code, message: maskCredentials(message), hint, details, exitCode: exitCodeOf(code) };
  }
  return systemError(error) ?? internalError(error);
}

/** Whatever they quote. */
export function printProblem(
  { message, hint }: Pick<PrintableError, 'message' | 'hint'>,
  stream: NodeJS.WritableStream,
): void {
  stream.write(`error: ${printableText(message)}\n`);
  if (hint !== null) stream.write(`hint: ${printableText(hint)}\n`);
}

/** Reason and hint on stderr; the stack only where somebody looks for a defect. */
export function printError(error: unknown, stream: NodeJS.WritableStream = process.stderr): number {
  const printable = printableError(error);
  // Commander has printed its own.
  if (!(error instanceof CommanderError)) {
    printProblem(printable, stream);
    if (process.env.STOWAGE_LOG_LEVEL === 'debug' || process.env.STOWAGE_LOG_LEVEL === 'trace') {
      stream.write(`${stackOf(error)}\n`);
    }
  }
  return printable.exitCode;
}

const HELP_CODES = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

function usageError(error: CommanderError): PrintableError {
  const exitCode = HELP_CODES.has(error.code) && error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  return { code: 'usage', message: error.message, hint: null, details: {}, exitCode };
}

/** What the operating system refuses, in words. */
const SYSTEM_ERRORS: Record<string, (path: string) => { message: string; hint: string }> = {
  ENOENT: (path) => ({ message: `There is no file ${path}`, hint: 'Check the path.' }),
  EACCES: (path) => ({ message: `No permission for ${path}`, hint: 'Check owner and mode of the file.' }),
  EPERM: (path) => ({ message: `No permission for ${path}`, hint: 'Check owner and mode of the file.' }),
  EISDIR: (path) => ({ message: `${path} is a directory`, hint: 'Name a file.' }),
  ENOTDIR: (path) => ({ message: `${path} is not in a directory`, hint: 'Check the path.' }),
  ENOSPC: () => ({ message: 'The disk is full', hint: 'Free some space and run the command again.' }),
  EROFS: (path) => ({ message: `${path} is on a read-only file system`, hint: 'Choose another place.' }),
  EADDRINUSE: (address) => ({
    message: `${address} is in use by another process`,
    hint: 'Set STOWAGE_PORT to a free port, or to 0 to let Stowage pick one.',
  }),
};

interface SystemError extends Error {
  code?: string;
  path?: string;
  address?: string;
  port?: number;
}

function systemError(error: unknown): PrintableError | null {
  if (!(error instanceof Error)) return null;
  const { code, path, address, port } = error as SystemError;
  const describe = code === undefined ? undefined : SYSTEM_ERRORS[code];
  if (!describe) return null;
  const subject = code === 'EADDRINUSE' ? `${address ?? 'The address'}:${port ?? '?'}` : (path ?? 'the file');
  return { code: code!.toLowerCase(), ...describe(subject), details: {}, exitCode: EXIT_FAILURE };
}

function internalError(error: unknown): PrintableError {
  const message = error instanceof Error ? error.message || error.name : String(error);
  return {
    code: 'internal',
    message: maskCredentials(message),
    hint: 'STOWAGE_LOG_LEVEL=debug shows where this happened.',
    details: {},
    exitCode: EXIT_FAILURE,
  };
}

function stackOf(error: unknown): string {
  return maskCredentials(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
