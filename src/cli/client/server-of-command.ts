import { startLocalServer } from '../prefetch/local-server.ts';
import { StowageClient } from './stowage-client.ts';

export interface ServerOptions {
  server?: string;
  token?: string;
}

/** Runs a command against the server that it names, or against one of its own on the local data directory. */
export async function withServer<T>(
  options: ServerOptions,
  work: (client: StowageClient) => Promise<T>,
): Promise<T> {
  if (options.server !== undefined) {
    return await work(new StowageClient({ url: options.server, token: options.token ?? null }));
  }
  const local = await startLocalServer({ allowLocalRepositories: false });
  try {
    return await work(new StowageClient(local));
  } finally {
    await local.stop();
  }
}

const LARGEST_NUMBER = 2 ** 31 - 1;

/** The number of a request or a build, as users type it. */
export function isRequestNumber(text: string): boolean {
  return /^[1-9]\d{0,9}$/.test(text) && Number(text) <= LARGEST_NUMBER;
}
