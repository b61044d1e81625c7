import { type Client, createClient } from 'graphql-ws';
import { pino } from 'pino';
import { readEventStream } from '../../src/cli/client/event-stream.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { addUser } from '../../src/domain/identity/accounts.ts';
import { Authenticator } from '../../src/domain/identity/authenticate.ts';
import { type Principal, SCOPES, SYSTEM } from '../../src/domain/identity/principal.ts';
import { createProject, setProjectMember } from '../../src/domain/identity/projects.ts';
import { addToken } from '../../src/domain/identity/tokens.ts';
import { spanOfLogLine } from '../../src/domain/tracing/span.ts';
import type { Tracing } from '../../src/domain/tracing/tracing.ts';
import { type RunningGateway, startGateway } from '../../src/gateway/server.ts';
import type { ImageBuilding } from '../../src/workers/builders/image-building.ts';
import { startWorkerStack, type WorkerStack } from './worker-stack.ts';

/**
 * `ada` is a developer of the private project `apps`, `bob` a viewer, `eve` nobody; `reader` and `writer` are tokens of
 * ada with one scope.
 */
export type Caller = 'admin' | 'ada' | 'bob' | 'eve' | 'reader' | 'writer' | 'anonymous';

export const ADMIN_PASSWORD = 'correct horse battery';

export interface GraphQLAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what the test asked for.
  data: any;
  errors: { message: string; path?: unknown; extensions?: Record<string, unknown> }[];
}

type Variables = Record<string, unknown>;

/** A gateway of this process, on the database of a worker stack, with users. */
export class TestGateway {
  readonly stack: WorkerStack;
  readonly authorizations: Record<Caller, string | null>;
  /** Every log line of the gateway, as JSON. */
  readonly logged: Record<string, unknown>[];
  #running: RunningGateway;

  private constructor(
    stack: WorkerStack,
    authorizations: TestGateway['authorizations'],
    running: RunningGateway,
    logged: TestGateway['logged'],
  ) {
    this.stack = stack;
    this.authorizations = authorizations;
    this.#running = running;
    this.logged = logged;
  }

  /** Without a worker, requests stay as they were submitted. */
  static async start({
    environment = {},
    worker = false,
    credentialsCheckMs,
    socketPingMs,
    imageBuilding,
    database,
    tracing,
  }: {
    environment?: Record<string, string>;
    worker?: boolean;
    credentialsCheckMs?: number;
    socketPingMs?: number;
    imageBuilding?: ImageBuilding;
    database?: Database;
    tracing?: Tracing;
  } = {}): Promise<TestGateway> {
    const stack = await startWorkerStack(
      { STOWAGE_PORT: '0', ...environment },
      { ...(imageBuilding && { imageBuilding }), ...(database && { database }), ...(tracing && { tracing }) },
    );
    if (!worker) await stack.worker.stop(0);
    const logged: TestGateway['logged'] = [];
    return new TestGateway(
      stack,
      await populate(stack),
      await listen(stack, logged, {
        ...(credentialsCheckMs !== undefined && { credentialsCheckMs }),
        ...(socketPingMs !== undefined && { socketPingMs }),
        ...(tracing && { tracing }),
      }),
      logged,
    );
  }

  get url(): string {
    return this.#running.url;
  }

  principal(name: string): Promise<Principal> {
    return principalNamed(this.stack, name);
  }

  async graphql(query: string, variables: Variables = {}, as: Caller = 'ada'): Promise<GraphQLAnswer> {
    const response = await this.post({ query, variables }, as);
    const body = (await response.json()) as Partial<GraphQLAnswer>;
    return {
      status: response.status,
      headers: response.headers,
      data: body.data ?? null,
      errors: body.errors ?? [],
    };
  }

  /** The data of an operation that has no errors. */
  async data(query: string, variables: Variables = {}, as: Caller = 'ada') {
    const { data, errors } = await this.graphql(query, variables, as);
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    return data;
  }

  async post(body: unknown, as: Caller = 'ada', headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.headers(as), ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  headers(as: Caller): Record<string, string> {
    const authorization = this.authorizations[as];
    return authorization === null ? {} : { authorization };
  }

  /** Subscribes over SSE; ends when the server completes, throws when the connection breaks. */
  async *sse(
    query: string,
    variables: Variables = {},
    as: Caller = 'ada',
    signal: AbortSignal = AbortSignal.timeout(30_000),
  ): AsyncGenerator<Pick<GraphQLAnswer, 'data' | 'errors'>> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...this.headers(as) },
      body: JSON.stringify({ query, variables }),
      signal,
    });
    for await (const { event, data } of readEventStream(response.body!)) {
      if (event === 'complete') return;
      const { data: result = null, errors = [] } = JSON.parse(data);
      yield { data: result, errors };
    }
    throw new Error('the stream ended without a word');
  }

  /** A client of graphql-ws that does not reconnect by itself. */
  socket(as: Caller = 'ada', options: { retryAttempts?: number; url?: string } = {}): Client {
    const authorization = this.authorizations[as];
    return createClient({
      url: `${(options.url ?? this.url).replace('http', 'ws')}/graphql`,
      connectionParams: authorization === null ? {} : { authorization },
      retryAttempts: options.retryAttempts ?? 0,
    });
  }

  /** Value of a metric without labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  /** Ends this gateway; its clients are cut off. */
  async stop(): Promise<void> {
    await this.#running.close();
  }

  /** Another gateway on the same database. */
  async startAgain(): Promise<void> {
    this.#running = await listen(this.stack, this.logged);
  }

  async close(): Promise<void> {
    await this.#running.close();
    await this.stack.close();
  }
}

async function listen(
  stack: WorkerStack,
  logged: TestGateway['logged'],
  options: { credentialsCheckMs?: number; socketPingMs?: number; tracing?: Tracing } = {},
): Promise<RunningGateway> {
  const logger = pino(
    { level: 'debug', mixin: spanOfLogLine },
    { write: (line: string) => void logged.push(JSON.parse(line)) },
  );
  return await startGateway({
    ...stack,
    authenticator: new Authenticator(stack.database, stack.settings),
    logger,
    ...options,
  });
}

async function populate(stack: WorkerStack): Promise<Record<Caller, string | null>> {
  const { database } = stack;
  await addUser(database, { name: 'admin', password: ADMIN_PASSWORD, isAdmin: true });
  for (const name of ['ada', 'bob', 'eve']) await addUser(database, { name });
  await createProject(database, await principalNamed(stack, 'admin'), { name: 'apps' });
  for (const [userName, role] of [
    ['ada', 'developer'],
    ['bob', 'viewer'],
  ] as const) {
    await setProjectMember(database, SYSTEM, { projectName: 'apps', userName, role });
  }
  const token = async (userName: string, scopes: string[], name = 'test'): Promise<string> => {
    const { secret } = await addToken(database, { userName, name, scopes });
    return `Bearer ${secret}`;
  };
  return {
    anonymous: null,
    admin: await token('admin', ['read', 'write', 'admin']),
    ada: await token('ada', ['read', 'write']),
    bob: await token('bob', ['read', 'write']),
    eve: await token('eve', ['read', 'write']),
    reader: await token('ada', ['read'], 'reader'),
    writer: await token('ada', ['write'], 'writer'),
  };
}

async function principalNamed({ database }: WorkerStack, name: string): Promise<Principal> {
  const [user] = await database.sql.query<{ id: number; isAdmin: boolean }>(
    'select id, is_admin as "isAdmin" from users where name = $1',
    [name],
  );
  return { userId: user!.id, name, isAdmin: user!.isAdmin, scopes: new Set(SCOPES) };
}
