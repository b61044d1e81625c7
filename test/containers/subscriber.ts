import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { ConnectionLostError, domainErrorOf, StowageClient } from '../../src/cli/client/stowage-client.ts';
import { DomainError } from '../../src/domain/errors.ts';
import { isPassing } from './patience.ts';

/** What is subscribed to, and how one goes on behind an item. */
export interface Topic<Position extends string | number = string | number> {
  document: string;
  variables: object;
  /** Name of the variable for the position, and what it is at the beginning. */
  cursor: [name: string, beginning: Position];
  /** Where an item is, and what it brings, in order. */
  read(data: never): { position: Position; brings: string[] };
}

export type Transport = 'sse' | 'graphql-ws';

interface Access {
  url: string;
  token: string;
}

/** A client that comes back with the last position that it saw, whenever its connection breaks, and writes down all it gets. */
export class Subscriber {
  readonly seen: string[] = [];
  readonly transport: Transport;
  /** How often it came back. */
  resumed = 0;
  /** Why it does not come back: 'complete', or what the server refused with. */
  end: string | null = null;
  readonly #access: Access;
  readonly #topic: Topic;
  readonly #ending = new AbortController();
  readonly #ended: Promise<void>;

  constructor(access: Access, transport: Transport, topic: Topic) {
    this.#access = access;
    this.#topic = topic;
    this.transport = transport;
    this.#ended = this.#run();
    // Whoever asks is told.
    this.#ended.catch(() => undefined);
  }

  /** Resolves when the server has said that there is no more; rejects when it refused. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  /** For one that nobody waits for any more. */
  leave(): void {
    this.#ending.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    const [name, beginning] = this.#topic.cursor;
    for (let position = beginning; ; this.resumed += 1) {
      try {
        const variables = { ...this.#topic.variables, [name]: position };
        for await (const data of this.#connect(variables, signal)) {
          const item = this.#topic.read(data as never);
          position = item.position;
          this.seen.push(...item.brings);
        }
        this.end = 'complete';
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) {
          this.end = (error as Error).message;
          throw error;
        }
      }
      await sleep(100, undefined, { signal }).catch(() => undefined);
    }
  }

  #connect(variables: object, signal: AbortSignal): AsyncIterable<unknown> {
    const { document } = this.#topic;
    if (this.transport === 'sse')
      return new StowageClient(this.#access).subscribe(document, variables, signal);
    return overSocket(this.#access, document, variables, signal);
  }
}

async function* overSocket(
  { url, token }: Access,
  query: string,
  variables: object,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const stop = (): void => client.terminate();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const { data, errors } of client.iterate({ query, variables: { ...variables } })) {
      const [error] = errors ?? [];
      if (error) throw domainErrorOf(error);
      yield data;
    }
  } catch (error) {
    // Errors of the operation come as a list; all else is a socket that was closed or did not open.
    if (Array.isArray(error)) throw domainErrorOf(error[0]);
    if (error instanceof DomainError) throw error;
    throw new ConnectionLostError(url, error);
  } finally {
    signal.removeEventListener('abort', stop);
    await client.dispose();
  }
}
