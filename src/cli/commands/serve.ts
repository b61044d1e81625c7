import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { readSettings, type Settings } from '../../domain/config.ts';
import { processLogger } from '../process-logger.ts';
import { onTermination } from '../termination.ts';

export function serveCommand(): Command {
  return new Command('serve')
    .description('run a whole server: database if none is set, gateway and worker (npm start)')
    .action(serve);
}

async function serve(): Promise<void> {
  const settings = readSettings();
  const logger = processLogger(settings, 'supervisor');
  const asked = signalled();
  const { startProcessTree } = await import('../supervisor.ts');
  const starting = startProcessTree({
    settings,
    logger,
    environment: process.env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const tree = await starting;
  if (settings.gatewayProcesses > 1) process.stdout.write(`Stowage is ready on ${tree.url}\n`);
  tellPassword(settings);
  const signal = await asked;
  logger.info({ signal }, 'stopping');
  await tree.stop();
  logger.info('stopped');
  process.exit(0);
}

/** Who insists ends the process at once; the children notice and follow. */
function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => onTermination(resolve, () => process.exit(1)));
}

function tellPassword(settings: Settings): void {
  if (settings.adminPassword !== null) return;
  const path = join(settings.dataDir, 'admin-password');
  if (existsSync(path)) {
    process.stdout.write(`Log in as "${settings.adminUser}"; the password is in ${path}\n`);
  }
}
