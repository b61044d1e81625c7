import type { Caller, TestGateway } from '../../../support/gateway.ts';

export const REF = 'c50b93a32df1c9d700e3e80996845bc2e13be848';
export const REPO = 'https://git.example/org/app.git';

export interface CachitoAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** Calls of Cachito's API as its clients make them. */
export class CachitoCalls {
  readonly #gateway: TestGateway;

  constructor(gateway: TestGateway) {
    this.#gateway = gateway;
  }

  /** `path` is below /api/v1; a body that is a text is sent as it is. */
  async call(
    method: string,
    path: string,
    {
      body,
      as = 'ada',
      headers = {},
    }: { body?: unknown; as?: Caller; headers?: Record<string, string> } = {},
  ): Promise<CachitoAnswer> {
    const response = await fetch(`${this.#gateway.url}/api/v1${path}`, {
      method,
      headers: {
        ...this.#gateway.headers(as),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** Status and body of a call that answers JSON. */
  async json(...call: Parameters<CachitoCalls['call']>): Promise<[status: number, body: unknown]> {
    const { status, text } = await this.call(...call);
    return [status, JSON.parse(text)];
  }

  /** The number of a new request. */
  async submit(body: object = {}, as: Caller = 'ada'): Promise<number> {
    const [status, request] = await this.json('POST', '/requests', {
      body: { repo: REPO, ref: REF, ...body },
      as,
    });
    if (status !== 201) throw new Error(JSON.stringify(request));
    return (request as { id: number }).id;
  }

  // biome-ignore lint/suspicious/noExplicitAny: what the test asks for.
  async request(number: number, as: Caller = 'anonymous'): Promise<any> {
    const [status, request] = await this.json('GET', `/requests/${number}`, { as });
    if (status !== 200) throw new Error(JSON.stringify(request));
    return request;
  }
}
