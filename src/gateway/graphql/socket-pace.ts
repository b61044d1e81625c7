import type { Duplex } from 'node:stream';
import pLimit from 'p-limit';
import type { WebSocket } from 'ws';

/** What a client has not taken yet of its answers; it may ask for more when it has. */
const MOST_WAITING_BYTES = 1_000_000;
/** Queries and mutations of one connection that run at a time; each holds its answer until it is sent. */
const MOST_RUNNING = 10;

/**
 * One web socket that is answered no faster than its client takes the answers: whoever asks on and on and reads nothing is
 * not read either, answers no pings then, and is cut off. Subscriptions wait by themselves until an item is sent.
 */
export class SocketPace {
  readonly #opened: WebSocket;
  readonly #limit = pLimit(MOST_RUNNING);
  readonly #waiting: (() => void)[] = [];

  constructor(opened: WebSocket, socket: Duplex) {
    this.#opened = opened;
    opened.on('message', () => {
      if (this.#isBehind) opened.pause();
    });
    socket.on('drain', () => this.#goOn());
    socket.once('close', () => this.#goOn());
  }

  /** Runs an operation that has one answer. */
  async run<T>(operation: () => T | Promise<T>): Promise<T> {
    return await this.#limit(async () => {
      if (this.#isBehind) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      return await operation();
    });
  }

  get #isBehind(): boolean {
    return this.#opened.readyState === this.#opened.OPEN && this.#opened.bufferedAmount > MOST_WAITING_BYTES;
  }

  #goOn(): void {
    this.#opened.resume();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
