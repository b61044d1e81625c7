import { Command } from 'commander';
import { InvalidInputError, NotFoundError } from '../../domain/errors.ts';
import { printableText } from '../../domain/printable-text.ts';
import { isRequestNumber, type ServerOptions } from '../client/server-of-command.ts';
import type { LoggedSubject, LogLine } from '../client/subject-log.ts';
import { onTermination } from '../termination.ts';
import { serverOption, tokenOption } from './server-options.ts';

export function logsCommand(): Command {
  return new Command('logs')
    .description('print the log of a request, or of a build')
    .argument('<number>', 'number of the request, with --build of the build')
    .option('--build', 'the log of an image build')
    .option('-f, --follow', 'go on until the request or the build has ended')
    .addOption(serverOption())
    .addOption(tokenOption())
    .action(logs);
}

interface LogsOptions extends ServerOptions {
  build?: boolean;
  follow?: boolean;
}

async function logs(text: string, options: LogsOptions): Promise<void> {
  const what = options.build ? 'build' : 'request';
  if (!isRequestNumber(text)) throw new InvalidInputError(`"${text}" is not the number of a ${what}`);
  const number = Number(text);
  const subject: LoggedSubject = options.build ? 'imageBuild' : 'bundleRequest';
  const [{ withServer }, { followLog, hasLog, readLog }] = await Promise.all([
    import('../client/server-of-command.ts'),
    import('../client/subject-log.ts'),
  ]);
  await withServer(options, async (client) => {
    if (!(await hasLog(client, subject, number))) {
      const hint = 'What users of a server made is there with --server and --token.';
      throw new NotFoundError(`There is no ${what} ${number}`, options.server === undefined ? { hint } : {});
    }
    const ended = new AbortController();
    const stopListening = onTermination(
      () => ended.abort(),
      () => process.exit(1),
    );
    try {
      const lines = options.follow
        ? followLog(client, subject, number, ended.signal)
        : readLog(client, subject, number);
      for await (const line of lines) process.stdout.write(`${printableText(formatLogLine(line))}\n`);
    } catch (error) {
      if (!ended.signal.aborted) throw error;
    } finally {
      stopListening();
    }
  });
}

function formatLogLine({ at, level, source, text }: LogLine): string {
  return `${at} ${level.padEnd(5)} ${source}: ${text}`;
}
