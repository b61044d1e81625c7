import { Command } from 'commander';
import { runService } from '../service.ts';

export function workerCommand(): Command {
  return new Command('worker')
    .description('run one worker: fetches sources, resolves packages, assembles bundles, builds images')
    .option('--tasks <tasks>', 'take only jobs of these tasks, separated by commas (STOWAGE_WORKER_TASKS)')
    .action(({ tasks }: { tasks?: string }) => {
      if (tasks !== undefined) process.env.STOWAGE_WORKER_TASKS = tasks;
      return runService('worker', start);
    });
}

const start: Parameters<typeof runService>[1] = async ({ settings, logger, signal, tracing }) => {
  const [{ openServices }, { startWorker }] = await Promise.all([
    import('../open-services.ts'),
    import('../../workers/runner.ts'),
  ]);
  const services = await openServices(settings, 'stowage-worker', { logger, signal });
  try {
    const { database, blobs, hub } = services;
    const worker = await startWorker({ settings, database, blobs, hub, logger, tracing });
    return {
      url: null,
      stop: async () => {
        await worker.stop();
        await services.close();
      },
      done: worker.done,
    };
  } catch (error) {
    await services.close();
    throw error;
  }
};
