import { Command } from 'commander';
import { InvalidInputError, NotFoundError } from '../../domain/errors.ts';
import type { LogLine } from '../client/bundle-requests.ts';
import { isRequestNumber, type ServerOptions } from '../client/server-of-command.ts';
import { onTermination } from '../termination.ts';
import { serverOption, tokenOption } from './server-options.ts';

export function logsCommand(): Command {
  return new Command('logs')
    .description('print the log of a request')
    .argument('<number>', 'number of the request')
    .option('-f, --follow', 'go on until the request has ended')
    .addOption(serverOption())
    .addOption(tokenOption())
    .action(logs);
}

async function logs(text: string, options: ServerOptions & { follow?: boolean }): Promise<void> {
  if (!isRequestNumber(text)) throw new InvalidInputError(`"${text}" is not the number of a request`);
  const number = Number(text);
  const [{ withServer }, requests] = await Promise.all([
    import('../client/server-of-command.ts'),
    import('../client/bundle-requests.ts'),
  ]);
  await withServer(options, async (client) => {
    if (!(await requests.readOutcome(client, number))) {
      throw new NotFoundError(`There is no request ${number}`);
    }
    const ended = new AbortController();
    const stopListening = onTermination(
      () => ended.abort(),
      () => process.exit(1),
    );
    try {
      const lines = options.follow
        ? requests.followLog(client, number, ended.signal)
        : requests.readLog(client, number);
      for await (const line of lines) process.stdout.write(`${formatLogLine(line)}\n`);
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
