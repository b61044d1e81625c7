import { Command } from 'commander';
import { readSettings, type Settings } from '../../domain/config.ts';
import type { CheckResult } from '../doctor/check.ts';
import { EXIT_FAILURE, EXIT_OK } from '../exit-codes.ts';
import { formatTable } from '../print-table.ts';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check what is installed, reachable and writable, and say what to do about it')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const results = await runChecks(readSettings());
      process.stdout.write(options.json ? `${JSON.stringify(results, null, 2)}\n` : report(results));
      process.exitCode = results.some(({ state }) => state === 'fail') ? EXIT_FAILURE : EXIT_OK;
    });
}

/** All at once: each has its own short deadline. */
async function runChecks(settings: Settings): Promise<CheckResult[]> {
  const [tools, storage, network, builders] = await Promise.all([
    import('../doctor/tools.ts'),
    import('../doctor/storage.ts'),
    import('../doctor/network.ts'),
    import('../doctor/builders.ts'),
  ]);
  const checks = [
    tools.nodeCheck,
    ...tools.toolChecks,
    ...(process.getuid?.() === 0 && settings.databaseUrl === null ? [tools.namespaceCheck] : []),
    () => storage.dataDirectory(settings),
    () => storage.database(settings),
    () => storage.blobStore(settings),
    () => storage.signingKey(settings),
    () => builders.imageBuilder(settings),
    () => network.gateway(settings),
    ...network.upstreamChecks.map((check) => () => check(settings)),
  ];
  return (await Promise.all(checks.map((check) => check()))).flat();
}

function report(results: readonly CheckResult[]): string {
  const table = formatTable(
    ['', 'CHECK', 'FOUND'],
    results.map(({ state, name, found }) => [state, name, found]),
  );
  const advice = results.flatMap(({ name, advice }) => (advice === null ? [] : [`${name}: ${advice}\n`]));
  return advice.length === 0 ? table : `${table}\n${advice.join('')}`;
}
