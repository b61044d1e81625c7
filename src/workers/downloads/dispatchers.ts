import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { NetworkError } from '../../domain/errors.ts';
import { assertPublicHost, assertPublicLiteral, publicLookup } from './address-policy.ts';
import { sharedLookup } from './shared-lookup.ts';

const CONNECT_TIMEOUT_MS = 30_000;
const PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

export interface DispatcherOptions {
  connectionsPerHost: number;
  /** Host names to addresses; the system's by default. */
  lookup?: LookupFunction;
}

/** How the connection to a host has to be made. */
export interface ConnectionRules {
  /** Public addresses only (prefetch.md 12). */
  guarded: boolean;
  /** Without verification of the certificate. */
  insecure: boolean;
}

/**
 * Keep-alive connections by rules, through the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY if set. HTTP/1.1 only:
 * with as many connections as downloads HTTP/2 gains nothing.
 */
export class Dispatchers {
  readonly #options: DispatcherOptions;
  readonly #lookup: LookupFunction;
  readonly #proxied = PROXY_VARIABLES.some((name) => process.env[name]);
  readonly #agents = new Map<string, Dispatcher>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#lookup = sharedLookup(options.lookup ?? (systemLookup as LookupFunction));
  }

  /** Throws when the rules forbid the host. Names are checked again when they are resolved for the connection. */
  async connectionTo(url: URL, rules: ConnectionRules, signal: AbortSignal): Promise<Dispatcher> {
    if (rules.guarded) {
      assertPublicLiteral(url.hostname);
      if (this.#proxied) await this.#checkBeforeProxy(url.hostname, signal);
    }
    const key = JSON.stringify(rules);
    let agent = this.#agents.get(key);
    if (!agent) {
      agent = this.#open(rules);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  #open({ guarded, insecure }: ConnectionRules): Dispatcher {
    const lookup = this.#lookup;
    const rejectUnauthorized = !insecure;
    const options = {
      connections: this.#options.connectionsPerHost,
      pipelining: 1,
      allowH2: false,
      connect: buildConnector({
        timeout: CONNECT_TIMEOUT_MS,
        allowH2: false,
        rejectUnauthorized,
        lookup: guarded ? publicLookup(lookup) : lookup,
      }),
    };
    if (!this.#proxied) return new Agent(options);
    return new EnvHttpProxyAgent({
      ...options,
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTls: { rejectUnauthorized },
    });
  }

  /** Behind a proxy the proxy resolves names; what this machine knows of a name is checked all the same. */
  async #checkBeforeProxy(host: string, signal: AbortSignal): Promise<void> {
    await assertPublicHost(host, signal, this.#lookup).catch((error: unknown) => {
      if (!(error instanceof NetworkError)) throw error;
    });
  }
}
