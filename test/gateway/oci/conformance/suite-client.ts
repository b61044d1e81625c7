import { type Answer, PASSWORD, RegistryStack } from '../../../support/registry-stack.ts';

/** Who drives a workflow, and where: every one must behave the same everywhere (oci-registry.md 11). */
export interface Setup {
  title: string;
  /** What stands before the name in every path. */
  prefix: '/v2' | '/docker/v2';
  name: string;
  /** The other name, for mounts. */
  otherName: string;
  /** null: anybody may push. */
  user: string | null;
}

export const SETUPS: readonly Setup[] = [
  {
    title: 'with credentials, names of three components',
    prefix: '/v2',
    name: 'apps/images/conformance',
    otherName: 'apps/other/conformance',
    user: 'admin',
  },
  {
    title: 'with credentials at the alias, names of two components and of one',
    prefix: '/docker/v2',
    name: 'myorg/myrepo',
    otherName: 'conformance',
    user: 'admin',
  },
  {
    title: 'without credentials, names of five components and of one',
    prefix: '/v2',
    name: 'open/to/all/of/them',
    otherName: 'anybody',
    user: null,
  },
];

type Options = Omit<NonNullable<Parameters<RegistryStack['call']>[2]>, 'as' | 'url'>;

/**
 * Calls like a client that knows nothing but the specification: it begins without credentials, and gets a token for the
 * scope that the challenge asks for.
 */
export class SuiteClient {
  readonly setup: Setup;
  readonly #stack: RegistryStack;
  #authorization: Record<string, string> = {};

  private constructor(setup: Setup, stack: RegistryStack) {
    this.setup = setup;
    this.#stack = stack;
  }

  static async start(setup: Setup): Promise<SuiteClient> {
    const environment = { STOWAGE_REGISTRY_ANONYMOUS: setup.user === null ? 'push' : 'none' };
    return new SuiteClient(setup, await RegistryStack.start(environment));
  }

  async close(): Promise<void> {
    await this.#stack.close();
  }

  /** Path below the name of the setup. */
  at(path: string, name = this.setup.name): string {
    return `${this.setup.prefix}/${name}/${path}`;
  }

  async call(method: string, path: string, options: Options = {}): Promise<Answer> {
    const answer = await this.#once(method, path, options);
    if (answer.status !== 401) return answer;
    await this.#obtainToken(answer.headers.get('www-authenticate')!);
    return await this.#once(method, path, options);
  }

  async #once(method: string, path: string, { headers, ...options }: Options): Promise<Answer> {
    const all = { ...this.#authorization, ...headers };
    return await this.#stack.call(method, path, { as: 'anonymous', headers: all, ...options });
  }

  async #obtainToken(challenge: string): Promise<void> {
    const { realm, ...parameters } = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    ) as Record<string, string>;
    const { user } = this.setup;
    const pair = Buffer.from(`${user}:${PASSWORD}`).toString('base64');
    const { pathname } = new URL(realm!);
    const answer = await this.#stack.call('GET', `${pathname}?${new URLSearchParams(parameters)}`, {
      as: 'anonymous',
      headers: user === null ? {} : { authorization: `Basic ${pair}` },
    });
    this.#authorization = { authorization: `Bearer ${answer.json().token}` };
  }

  /** Pushes a blob in one request. */
  async blob(bytes: Uint8Array | string, digest: string, name = this.setup.name): Promise<Answer> {
    return await this.call('POST', this.at(`blobs/uploads/?digest=${encodeURIComponent(digest)}`, name), {
      body: bytes,
    });
  }

  async manifest(reference: string, text: string, query = ''): Promise<Answer> {
    return await this.call('PUT', this.at(`manifests/${reference}${query}`), {
      body: text,
      headers: { 'content-type': JSON.parse(text).mediaType },
    });
  }
}
