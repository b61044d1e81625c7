import { DomainError } from '../../domain/errors.ts';
import { type EventStreamMessage, readEventStream } from './event-stream.ts';

export interface StowageClientOptions {
  /** Base URL of the server. */
  url: string;
  token: string | null;
}

/** A document whose root field is a mutation with a result union, so that errors arrive typed. */
interface GraphQLErrorShape {
  message: string;
  extensions?: { code?: string; hint?: string | null; details?: Record<string, unknown> };
}

interface GraphQLAnswer<T> {
  data?: T | null;
  errors?: GraphQLErrorShape[];
}

/** The one way in which the command line talks to a server, be it remote or a child of this process. */
export class StowageClient {
  readonly #base: string;
  readonly #token: string | null;

  constructor(options: StowageClientOptions) {
    this.#base = options.url.replace(/\/+$/, '');
    this.#token = options.token;
  }

  /** For what is no GraphQL: the registry of the same server. */
  get url(): string {
    return this.#base;
  }

  get token(): string | null {
    return this.#token;
  }

  /** Runs a query or mutation. Throws DomainError with the server's code. */
  async run<T>(document: string, variables: object = {}, signal?: AbortSignal): Promise<T> {
    const response = await this.send('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: document, variables }),
      signal: signal ?? null,
    });
    return await this.answerOf<T>(response);
  }

  /** Runs a mutation and unwraps the field of its result union. */
  async mutate<T>(document: string, field: string, variables: object = {}, signal?: AbortSignal): Promise<T> {
    return unwrapResult<T>(await this.run(document, variables, signal), field);
  }

  /**
   * One connection of a subscription; ends after the server's `complete`. Throws ConnectionLostError when it breaks off.
   */
  async *subscribe<T>(document: string, variables: object, signal: AbortSignal): AsyncGenerator<T> {
    const response = await this.send('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: document, variables }),
      signal,
    });
    if (!response.ok || !response.headers.get('content-type')?.includes('text/event-stream')) {
      await this.answerOf(response);
      throw new DomainError(
        'unexpected-answer',
        'The server does not answer subscriptions with an event stream',
      );
    }
    yield* messagesOf<T>(readEventStream(response.body!), signal);
  }

  /** Any request to the server, with its credentials. Throws ConnectionLostError when there is no answer. */
  async send(path: string, init: RequestInit & { duplex?: 'half' } = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#token !== null) headers.set('authorization', `Bearer ${this.#token}`);
    try {
      return await fetch(this.#base + path, { ...init, headers, redirect: 'error' });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new ConnectionLostError(this.#base, cause);
    }
  }

  async answerOf<T>(response: Response): Promise<T> {
    const text = await response.text().catch((cause: unknown) => {
      throw new ConnectionLostError(this.#base, cause);
    });
    const answer = parse<T>(text);
    const [error] = answer?.errors ?? [];
    if (error) throw domainErrorOf(error);
    if (!answer?.data) throw refused(response, this.#base);
    return answer.data;
  }
}

export class ConnectionLostError extends DomainError {
  constructor(url: string, cause: unknown) {
    super('server-unreachable', `No answer from ${url}: ${reasonOf(cause)}`, {
      cause,
      hint: 'Check --server or STOWAGE_URL, and that the server runs.',
      retryable: true,
    });
  }
}

async function* messagesOf<T>(
  stream: AsyncGenerator<EventStreamMessage>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  try {
    for await (const { event, data } of stream) {
      if (event === 'complete') return;
      if (event !== 'next' && event !== 'message') continue;
      const answer = parse<T>(data);
      const [error] = answer?.errors ?? [];
      if (error) throw domainErrorOf(error);
      if (answer?.data) yield answer.data;
    }
  } catch (cause) {
    if (signal.aborted || cause instanceof DomainError) throw cause;
    throw new ConnectionLostError('the server', cause);
  }
  throw new ConnectionLostError('the server', new Error('the event stream broke off'));
}

interface ErrorResult {
  __typename: string;
  code?: string;
  message?: string;
  hint?: string | null;
  details?: Record<string, unknown> | null;
}

export function unwrapResult<T>(data: unknown, field: string): T {
  const result = (data as Record<string, ErrorResult & { data?: T }>)[field];
  if (result?.data !== undefined) return result.data;
  throw new DomainError(result?.code ?? 'unexpected-answer', result?.message ?? 'The server gave no result', {
    ...(result?.hint && { hint: result.hint }),
    details: result?.details ?? {},
  });
}

/** Codes of what is behind a server and away for a while. */
const PASSING = new Set(['database-unavailable', 'blob-store-unavailable']);

/** An error of an answer, or of an item of a subscription. */
export function domainErrorOf({ message, extensions = {} }: GraphQLErrorShape): DomainError {
  const code = extensions.code ?? 'server-error';
  return new DomainError(code, message, {
    ...(extensions.hint && { hint: extensions.hint }),
    details: extensions.details ?? {},
    retryable: PASSING.has(code),
  });
}

/** What a status without a GraphQL answer means. */
export function refused(response: Response, url: string): DomainError {
  switch (response.status) {
    case 401:
      return new DomainError('unauthenticated', `${url} does not accept this token`, {
        hint: 'Give a valid one with --token or STOWAGE_TOKEN; "stowage user token" makes one.',
      });
    case 403:
      return new DomainError('forbidden', `${url} does not allow this`);
    case 404:
      return new DomainError('not-found', `${url} has no such thing`, {
        hint: 'Check that --server names a Stowage server, and the number of the request.',
      });
    // A server that is just ending, and what proxies say when there is none.
    case 502:
    case 503:
    case 504:
      return new ConnectionLostError(url, new Error(`status ${response.status}`));
    default:
      return new DomainError('server-error', `${url} answered with status ${response.status}`);
  }
}

function parse<T>(text: string): GraphQLAnswer<T> | null {
  try {
    return JSON.parse(text) as GraphQLAnswer<T>;
  } catch {
    return null;
  }
}

function reasonOf(cause: unknown): string {
  const inner = (cause as { cause?: { code?: string; message?: string } }).cause;
  return inner?.code ?? inner?.message ?? (cause as Error).message;
}
