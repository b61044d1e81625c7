import { Command } from 'commander';
import { runService } from '../service.ts';

export function gatewayCommand(): Command {
  return new Command('gateway')
    .description('run one gateway: GraphQL, subscriptions, downloads, health and metrics over HTTP')
    .action(() => runService('gateway', start));
}

const start: Parameters<typeof runService>[1] = async ({ settings, logger, signal, tracing }) => {
  const [{ openServices }, { startGateway }, { Authenticator }] = await Promise.all([
    import('../open-services.ts'),
    import('../../gateway/server.ts'),
    import('../../domain/identity/authenticate.ts'),
  ]);
  const services = await openServices(settings, 'stowage-gateway', { logger, signal });
  try {
    const { database, blobs, hub } = services;
    const authenticator = new Authenticator(database, settings);
    const gateway = await startGateway({ settings, database, blobs, hub, authenticator, logger, tracing });
    // The line that people and scripts wait for; logs go to stderr. Of several gateways the supervisor says when all are.
    if (settings.gatewayProcesses === 1 || !process.channel) {
      process.stdout.write(`Stowage is ready on ${gateway.url}\n`);
    }
    return {
      url: gateway.url,
      stop: async () => {
        await gateway.close();
        await services.close();
      },
    };
  } catch (error) {
    await services.close();
    throw error;
  }
};
