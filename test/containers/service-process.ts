import { StowageCommand } from '../support/stowage-command.ts';

/** What a service says when it can be used. */
const READY = {
  gateway: /Stowage is ready on http:\/\/127\.0\.0\.1:(\d+)/,
  worker: /"worker ready"/,
} as const;

export type ServiceKind = keyof typeof READY;

/** A gateway or a worker that is started again when it has ended by itself, as a supervisor of the operating system does. */
export class ServiceProcess {
  readonly kind: ServiceKind;
  readonly name: string;
  /** Of a gateway that is ready. */
  port: number | null = null;
  /** What went wrong that was not done to it. */
  readonly complaints: string[] = [];
  readonly #environment: Record<string, string>;
  #starting: Promise<void> | null = null;
  /** Of a process that is ready; null: whoever ends it knows, or there is none. */
  #command: StowageCommand | null = null;
  #latest: StowageCommand | null = null;
  #isOver = false;

  constructor(kind: ServiceKind, name: string, environment: Record<string, string>) {
    this.kind = kind;
    this.name = name;
    this.#environment = environment;
  }

  get isReady(): boolean {
    return this.#command !== null;
  }

  /** Resolves when it is ready. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  /** For one that nobody needs any more, in whatever state it is. */
  async kill(): Promise<void> {
    this.#isOver = true;
    this.#latest?.child.kill('SIGKILL');
    await this.#latest?.result;
  }

  /** Ends when the process has ended, if there is one. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.#starting?.catch(() => undefined);
    const command = this.#command;
    if (command === null) return;
    this.#command = null;
    const { status } = await command.end(signal);
    if (signal === 'SIGTERM' && status !== 0) this.#note(command, `answered SIGTERM with ${status}`);
  }

  /** A process that ends before it is ready is followed by another one. */
  async #start(): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      if (this.#isOver) throw new Error(`${this.name} is over`);
      const command = new StowageCommand([this.kind], { env: this.#environment });
      this.#latest = command;
      try {
        const [, port] = await command.until(READY[this.kind]);
        this.port = port === undefined ? null : Number(port);
        this.#command = command;
        void this.#watch(command);
        return;
      } catch (error) {
        if (attempts === MOST_ATTEMPTS) throw error;
      }
    }
  }

  async #watch(command: StowageCommand): Promise<void> {
    const { status } = await command.result;
    // Otherwise it was ended by us.
    if (this.#command !== command || this.#isOver) return;
    this.#command = null;
    this.#note(command, `ended by itself with ${status}`);
    await this.start().catch((error: Error) =>
      this.complaints.push(`${this.name} did not start again: ${error.message}`),
    );
  }

  #note({ stderr }: StowageCommand, what: string): void {
    this.complaints.push(`${this.name} ${what}:\n${stderr.slice(-2_000)}`);
  }
}

const MOST_ATTEMPTS = 5;
