import { Command } from 'commander';
import { version } from '../domain/version.ts';
import { auditCommand } from './commands/audit.ts';
import { backupCommand } from './commands/backup.ts';
import { blobsCommand } from './commands/blobs.ts';
import { buildCommand } from './commands/build.ts';
import { configCommand } from './commands/config.ts';
import { doctorCommand } from './commands/doctor.ts';
import { fsckCommand } from './commands/fsck.ts';
import { gatewayCommand } from './commands/gateway.ts';
import { gcCommand } from './commands/gc.ts';
import { keysCommand } from './commands/keys.ts';
import { logsCommand } from './commands/logs.ts';
import { migrateCommand } from './commands/migrate.ts';
import { prefetchCommand } from './commands/prefetch.ts';
import { pruneCommand } from './commands/prune.ts';
import { queueCommand } from './commands/queue.ts';
import { restoreCommand } from './commands/restore.ts';
import { sbomCommand } from './commands/sbom.ts';
import { serveCommand } from './commands/serve.ts';
import { userCommand } from './commands/user.ts';
import { verifyCommand } from './commands/verify.ts';
import { workerCommand } from './commands/worker.ts';
import { workersCommand } from './commands/workers.ts';
import { printError } from './print-error.ts';

/** Every command in a file of its own under commands/. */
export function stowageProgram(): Command {
  const program = new Command('stowage')
    .description('From a git commit to a verified, reproducible bundle of everything an offline build needs')
    .version(version)
    // So that commands below commands have options of their own.
    .enablePositionalOptions();
  for (const command of [
    prefetchCommand(),
    buildCommand(),
    serveCommand(),
    gatewayCommand(),
    workerCommand(),
    migrateCommand(),
    configCommand(),
    doctorCommand(),
    gcCommand(),
    fsckCommand(),
    blobsCommand(),
    backupCommand(),
    restoreCommand(),
    userCommand(),
    keysCommand(),
    auditCommand(),
    workersCommand(),
    queueCommand(),
    pruneCommand(),
    logsCommand(),
    sbomCommand(),
    verifyCommand(),
  ]) {
    program.addCommand(command);
  }
  return throwing(program);
}

/** Commander throws instead of ending the process, so that one mapper decides about every exit code. */
function throwing(command: Command): Command {
  command.exitOverride().showHelpAfterError('(--help shows what there is)');
  command.commands.forEach(throwing);
  return command;
}

if (import.meta.main) {
  // A reader that went away (`stowage logs 1 | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  await stowageProgram()
    .parseAsync()
    .catch((error: unknown) => {
      process.exitCode = printError(error);
    });
}
