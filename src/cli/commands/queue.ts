import { Command } from 'commander';
import type { DeadJob } from '../../domain/database/sql/dead-jobs.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import { printTable } from '../print-table.ts';
import { subjectOf } from '../running-subject.ts';
import { withDatabase } from '../with-database.ts';

export function queueCommand(): Command {
  const command = new Command('queue').description('look at the jobs of the workers, pause and resume them');
  command
    .command('list')
    .description('every task: what waits, runs and has failed, and whether it is paused')
    .option('--json', 'as JSON')
    .action(list);
  command
    .command('pause')
    .description('let workers begin no more jobs of a task; those that run go on')
    .argument('<task>')
    .option('--reason <text>', 'shown to whoever looks')
    .action(pause);
  command.command('resume').description('let workers take its jobs again').argument('<task>').action(resume);
  command
    .command('dead')
    .description('jobs that failed for good, the newest first')
    .option('--limit <number>', 'at most so many (default: 100)', wholeNumber)
    .option('--json', 'as JSON')
    .action(dead);
  command
    .command('retry')
    .description('have the work of dead jobs done again: their requests and builds are retried')
    .argument('<number...>', 'of the jobs', wholeNumbers)
    .action(retry);
  command
    .command('discard')
    .description('forget dead jobs; their requests and builds stay as they are')
    .argument('<number...>', 'of the jobs', wholeNumbers)
    .action(discard);
  return command;
}

async function list({ json = false }: { json?: boolean }): Promise<void> {
  const [{ findTaskQueues }, { SYSTEM }] = await modules();
  const queues = await withDatabase('stowage-queue', (database) => findTaskQueues(database, SYSTEM));
  if (json) return print(JSON.stringify(queues, null, 2));
  printTable(
    ['TASK', 'WAITING', 'READY', 'SCHEDULED', 'RUNNING', 'FAILED', 'OLDEST', 'STATE'],
    queues.map(({ task, waiting, ready, scheduled, running, failed, oldestSeconds, pause: paused }) => [
      task,
      ...[waiting, ready, scheduled, running, failed].map(String),
      `${Math.round(oldestSeconds)} s`,
      paused === null ? 'active' : `paused ${paused.pausedAt.toISOString()} ${paused.reason ?? ''}`.trimEnd(),
    ]),
  );
}

async function pause(task: string, { reason }: { reason?: string }): Promise<void> {
  const [{ pauseTask }, { SYSTEM }, , { auditedCommand }] = await modules();
  await withDatabase('stowage-queue', (database) =>
    auditedCommand(database, { action: 'pauseTask', details: { task } }, () =>
      pauseTask(database, SYSTEM, task, reason ?? null),
    ),
  );
  print(`paused ${task}`);
}

async function resume(task: string): Promise<void> {
  const [{ resumeTask }, { SYSTEM }, , { auditedCommand }] = await modules();
  await withDatabase('stowage-queue', (database) =>
    auditedCommand(database, { action: 'resumeTask', details: { task } }, () =>
      resumeTask(database, SYSTEM, task),
    ),
  );
  print(`resumed ${task}`);
}

async function dead({ limit = 100, json = false }: { limit?: number; json?: boolean }): Promise<void> {
  const [, { SYSTEM }, { listDead }] = await modules();
  const jobs = await withDatabase('stowage-queue', (database) =>
    listDead(database, SYSTEM, { after: null, before: null, limit, inverted: false }),
  );
  if (json) return print(JSON.stringify(jobs, null, 2));
  if (jobs.length === 0) return print('no dead jobs');
  printTable(['NUMBER', 'TASK', 'OF', 'ATTEMPTS', 'CREATED', 'LAST ERROR'], jobs.map(cellsOf));
}

function cellsOf(job: DeadJob): string[] {
  const { id, task, attempts, createdAt, lastError } = job;
  const error = lastError === null ? 'its workers died' : (lastError.split('\n', 1)[0] ?? '').slice(0, 120);
  return [String(id), task, subjectOf(job), String(attempts), createdAt.toISOString(), error];
}

async function retry(numbers: readonly number[]): Promise<void> {
  const [, { SYSTEM }, { retryDeadJob }, { auditedCommand }] = await modules();
  await withDatabase('stowage-queue', async (database, settings) => {
    for (const number of numbers) {
      const job = await auditedCommand(database, { action: 'retryDeadJob', details: { number } }, () =>
        retryDeadJob(database, settings, SYSTEM, number),
      );
      print(`retried ${number}: ${job.task} ${subjectOf(job)}`.trimEnd());
    }
  });
}

async function discard(numbers: readonly number[]): Promise<void> {
  const [, { SYSTEM }, { discardDeadJob }, { auditedCommand }] = await modules();
  await withDatabase('stowage-queue', async (database) => {
    for (const number of numbers) {
      const job = await auditedCommand(database, { action: 'discardDeadJob', details: { number } }, () =>
        discardDeadJob(database, SYSTEM, number),
      );
      print(`discarded ${number}: ${job.task} ${subjectOf(job)}`.trimEnd());
    }
  });
}

function modules() {
  return Promise.all([
    import('../../domain/queue/paused-tasks.ts'),
    import('../../domain/identity/principal.ts'),
    import('../../domain/queue/dead-jobs.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidInputError(`"${text}" is not a number of a job`);
  return Number(text);
}

function wholeNumbers(text: string, before: number[] = []): number[] {
  return [...before, wholeNumber(text)];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
