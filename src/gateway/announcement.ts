import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  announceGateway,
  type GatewayAddress,
  withdrawGateway,
} from '../domain/database/sql/gateway-addresses.ts';
import type { SqlExecutor } from '../domain/database/sql-executor.ts';

const BEAT_MS = 8_000;

export interface AnnouncementOptions {
  sql: SqlExecutor;
  protocol: 'http' | 'https';
  /** What the gateway is bound to. */
  host: string;
  port: number;
  onError: (error: unknown) => void;
}

/** Tells the workers where this gateway listens, as long as it does. */
export class Announcement {
  readonly #sql: SqlExecutor;
  readonly #address: GatewayAddress;
  readonly #onError: (error: unknown) => void;
  #timer: NodeJS.Timeout | null = null;

  private constructor({ sql, onError, ...where }: AnnouncementOptions) {
    this.#sql = sql;
    this.#onError = onError;
    this.#address = { id: randomUUID(), host: hostname(), ...addressesOf(where) };
  }

  static async start(options: AnnouncementOptions): Promise<Announcement> {
    const announcement = new Announcement(options);
    await announcement.#beat();
    announcement.#timer = setInterval(() => void announcement.#beat(), BEAT_MS).unref();
    return announcement;
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await withdrawGateway(this.#sql, this.#address.id).catch(this.#onError);
  }

  async #beat(): Promise<void> {
    await announceGateway(this.#sql, this.#address).catch(this.#onError);
  }
}

function addressesOf({
  protocol,
  host,
  port,
}: Pick<AnnouncementOptions, 'protocol' | 'host' | 'port'>): Pick<GatewayAddress, 'localUrl' | 'remoteUrl'> {
  const url = (name: string): string => `${protocol}://${name.includes(':') ? `[${name}]` : name}:${port}`;
  if (host === '0.0.0.0') return { localUrl: url('127.0.0.1'), remoteUrl: url(hostname()) };
  if (host === '::') return { localUrl: url('::1'), remoteUrl: url(hostname()) };
  const isLoopback = host === 'localhost' || host === '::1' || host.startsWith('127.');
  return { localUrl: url(host), remoteUrl: isLoopback ? null : url(host) };
}
