import { Command } from 'commander';
import { InvalidInputError, NotFoundError } from '../../domain/errors.ts';
import type { LogLine } from '../client/bundle-requests.ts';
import { isRequestNumber, type ServerOptions } from '../client/server-of-command.ts';
import type { StowageClient } from '../client/stowage-client.ts';
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
  const [{ withServer }, log] = await Promise.all([
    import('../client/server-of-command.ts'),
    options.build ? logOfBuild() : logOfRequest(),
  ]);
  await withServer(options, async (client) => {
    if (!(await log.find(client, number))) throw new NotFoundError(`There is no ${what} ${number}`);
    const ended = new AbortController();
    const stopListening = onTermination(
      () => ended.abort(),
      () => process.exit(1),
    );
    try {
      const lines = options.follow ? log.follow(client, number, ended.signal) : log.read(client, number);
      for await (const line of lines) process.stdout.write(`${formatLogLine(line)}\n`);
    } catch (error) {
      if (!ended.signal.aborted) throw error;
    } finally {
      stopListening();
    }
  });
}

interface Log {
  /** null: there is no such subject. */
  find(client: StowageClient, number: number): Promise<object | null>;
  read(client: StowageClient, number: number): AsyncGenerator<LogLine>;
  follow(client: StowageClient, number: number, signal: AbortSignal): AsyncGenerator<LogLine>;
}

async function logOfRequest(): Promise<Log> {
  const { readOutcome, readLog, followLog } = await import('../client/bundle-requests.ts');
  return { find: readOutcome, read: readLog, follow: followLog };
}

async function logOfBuild(): Promise<Log> {
  const { readBuild, readBuildLog, followBuildLog } = await import('../client/image-builds.ts');
  return { find: readBuild, read: readBuildLog, follow: followBuildLog };
}

function formatLogLine({ at, level, source, text }: LogLine): string {
  return `${at} ${level.padEnd(5)} ${source}: ${text}`;
}
