import { startLocalServer } from '../prefetch/local-server.ts';
import type { ServerOptions } from './server-of-command.ts';
import { StowageClient } from './stowage-client.ts';

/** Where the work is done: somebody's server, or one that lives as long as this command. */
export interface Server {
  client: StowageClient;
  /** null: our own. */
  url: string | null;
  stop(): Promise<void>;
}

/** `onStart`: called before a server of our own starts, which takes a second or two. */
export async function connect(
  options: ServerOptions,
  { allowLocalRepositories, onStart }: { allowLocalRepositories: boolean; onStart: () => void },
): Promise<Server> {
  if (options.server !== undefined) {
    const client = new StowageClient({ url: options.server, token: options.token ?? null });
    return { client, url: options.server, stop: async () => undefined };
  }
  onStart();
  const local = await startLocalServer({ allowLocalRepositories });
  return { client: new StowageClient(local), url: null, stop: local.stop };
}
