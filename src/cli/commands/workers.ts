import { hostname } from 'node:os';
import { Command } from 'commander';
import type { LiveWorker } from '../../domain/live-workers.ts';
import { EXIT_FAILURE } from '../exit-codes.ts';
import { printTable } from '../print-table.ts';
import { subjectOf } from '../running-subject.ts';
import { withDatabase } from '../with-database.ts';

export function workersCommand(): Command {
  return new Command('workers')
    .description('list the workers that live, and what they do now')
    .option('--json', 'as JSON')
    .option('--here', 'only those of this machine; exit code 1 when there is none')
    .action(list);
}

async function list({ json = false, here = false }: { json?: boolean; here?: boolean }): Promise<void> {
  const [{ findLiveWorkers }, { SYSTEM }] = await Promise.all([
    import('../../domain/live-workers.ts'),
    import('../../domain/identity/principal.ts'),
  ]);
  const all = await withDatabase('stowage-workers', (database) => findLiveWorkers(database, SYSTEM));
  const workers = here ? all.filter(({ host }) => host === hostname()) : all;
  if (here && workers.length === 0) process.exitCode = EXIT_FAILURE;
  if (json) return print(`${JSON.stringify(workers, null, 2)}\n`);
  if (workers.length === 0) return print('no worker lives\n');
  printTable(
    ['HOST', 'PID', 'STARTED', 'LAST BEAT', 'STATE', 'TASKS', 'JOBS'],
    workers.map((worker) => [
      worker.host,
      String(worker.pid),
      worker.startedAt.toISOString(),
      worker.heartbeatAt.toISOString(),
      worker.drainingAt === null ? 'active' : 'draining',
      worker.tasks?.join(',') ?? 'all',
      jobsOf(worker),
    ]),
  );
}

function jobsOf({ jobs }: LiveWorker): string {
  return jobs.map((job) => `${job.task} ${subjectOf(job)}`.trimEnd()).join(', ') || '–';
}

function print(text: string): void {
  process.stdout.write(text);
}
