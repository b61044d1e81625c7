import { PassThrough } from 'node:stream';
import { CommanderError } from 'commander';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { printableError, printError } from '../../src/cli/print-error.ts';
import { formatTable } from '../../src/cli/print-table.ts';
import { DomainError, InvalidChecksum } from '../../src/domain/errors.ts';

afterEach(() => vi.unstubAllEnvs());

function printed(error: unknown): { exitCode: number; text: string } {
  const stream = new PassThrough();
  const exitCode = printError(error, stream);
  return { exitCode, text: String(stream.read() ?? '') };
}

describe('errors at a terminal', () => {
  test('reason and hint, without a stack', () => {
    const error = new InvalidChecksum(
      'checksum-mismatch',
      'The file a.tgz has an unexpected checksum value',
      {
        hint: 'Ask who changed it.',
      },
    );
    expect(printed(error)).toEqual({
      exitCode: 10,
      text: 'error: The file a.tgz has an unexpected checksum value\nhint: Ask who changed it.\n',
    });
  });

  test('a defect is said in one line, with its stack only for debugging', () => {
    expect(printed(new TypeError('x is not a function'))).toEqual({
      exitCode: 1,
      text: 'error: x is not a function\nhint: STOWAGE_LOG_LEVEL=debug shows where this happened.\n',
    });
    vi.stubEnv('STOWAGE_LOG_LEVEL', 'debug');
    expect(printed(new TypeError('x is not a function')).text).toContain('at ');
  });

  test('what a message quotes is no command to the terminal', () => {
    const error = new DomainError(
      'invalid-input',
      'The file \x1b]52;c;eA==\x07\x1b[2Jé\u009b1A\r.json\nis wrong',
      {
        hint: 'Rename \x1b[31m it.',
      },
    );
    expect(printed(error).text).toBe(
      'error: The file �]52;c;eA==��[2Jé�1A�.json\nis wrong\nhint: Rename �[31m it.\n',
    );
    expect(formatTable(['A', 'B'], [['\x1b[2J', 'x\ny']])).toBe('A     B\n�[2J  x y\n');
  });

  test('credentials in a message are masked', () => {
    const error = new DomainError('fetch-failed', 'GET https://me:secret@registry.example/a failed');
    expect(printed(error).text).toBe('error: GET https://***@registry.example/a failed\n');
  });

  test('a port in use', () => {
    const error = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:8080'), {
      code: 'EADDRINUSE',
      address: '127.0.0.1',
      port: 8080,
    });
    expect(printed(error)).toEqual({
      exitCode: 1,
      text:
        'error: 127.0.0.1:8080 is in use by another process\n' +
        'hint: Set STOWAGE_PORT to a free port, or to 0 to let Stowage pick one.\n',
    });
  });

  test('things that are no errors', () => {
    expect(printableError('just text')).toMatchObject({
      code: 'internal',
      message: 'just text',
      exitCode: 1,
    });
  });

  test.each([
    ['commander.unknownOption', 1, 2],
    ['commander.help', 1, 2],
    ['commander.helpDisplayed', 0, 0],
    ['commander.version', 0, 0],
  ])('%s: exit code %i becomes %i, and commander has printed it', (code, given, exitCode) => {
    expect(printed(new CommanderError(given, code, 'text'))).toEqual({ exitCode, text: '' });
  });
});
