import { NotFoundError } from '../../domain/errors.ts';
import { startLocalServer } from '../prefetch/local-server.ts';
import type { ServerOptions } from './server-of-command.ts';
import { StowageClient } from './stowage-client.ts';

/** Where the work is done: somebody's server, or one that lives as long as this command. */
export interface Server {
  client: StowageClient;
  /** null: our own. */
  url: string | null;
  /** Sees to it that the project can be worked in. Throws NotFoundError for one of somebody's server. */
  requireProject(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** `onStart`: called before a server of our own starts, which takes a second or two. */
export async function connect(
  options: ServerOptions,
  { allowLocalRepositories, onStart }: { allowLocalRepositories: boolean; onStart: () => void },
): Promise<Server> {
  if (options.server !== undefined) {
    const client = new StowageClient({ url: options.server, token: options.token ?? null });
    const requireProject = (name: string): Promise<void> => requireProjectOf(client, name);
    return { client, url: options.server, requireProject, stop: async () => undefined };
  }
  onStart();
  const local = await startLocalServer({ allowLocalRepositories });
  return { client: new StowageClient(local), url: null, requireProject: local.ownProject, stop: local.stop };
}

async function requireProjectOf(client: StowageClient, name: string): Promise<void> {
  const { projects } = await client.run<{ projects: { name: string }[] }>('query { projects { name } }');
  if (projects.some((project) => project.name === name)) return;
  throw new NotFoundError(`There is no project "${name}", or you are no member of it`);
}
