import { StowageCommand } from '../support/stowage-command.ts';

/** What a service says when it can be used. */
const READY = {
  gateway: /Stowage is ready on http:\/\/127\.0\.0\.1:(\d+)/,
  worker: /"worker ready"/,
} as const;

export type ServiceKind = keyof typeof READY;

/** A gateway or a worker that is started again whenever it has ended, as a supervisor of the operating system does. */
export class ServiceProcess {
  readonly kind: ServiceKind;
  readonly name: string;
  /** Of a gateway that is ready. */
  port: number | null = null;
  /** What went wrong that was not done to it. */
  readonly complaints: string[] = [];
  readonly #environment: Record<string, string>;
  #command: StowageCommand | null = null;
  #output = '';
  #isReady = false;

  constructor(kind: ServiceKind, name: string, environment: Record<string, string>) {
    this.kind = kind;
    this.name = name;
    this.#environment = environment;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** All that its processes have said. */
  get output(): string {
    return this.#output + (this.#command?.stderr ?? '');
  }

  /** Resolves when it is ready. A process that ends before that is followed by another one. */
  async start(): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      const command = new StowageCommand([this.kind], { env: this.#environment });
      this.#command = command;
      try {
        const [, port] = await command.until(READY[this.kind]);
        this.port = port === undefined ? null : Number(port);
        this.#isReady = true;
        void this.#watch(command);
        return;
      } catch (error) {
        this.#output += command.stderr;
        if (attempts === MOST_ATTEMPTS) throw error;
      }
    }
  }

  /** Ends when the process has ended. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const command = this.#command!;
    this.#command = null;
    this.#isReady = false;
    const { status } = await command.end(signal);
    this.#output += command.stderr;
    if (signal === 'SIGTERM' && status !== 0) this.#complain(command, `answered SIGTERM with ${status}`);
  }

  async #watch(command: StowageCommand): Promise<void> {
    const { status } = await command.result;
    // Otherwise it was ended by us.
    if (this.#command !== command) return;
    this.#isReady = false;
    this.#complain(command, `ended by itself with ${status}`);
  }

  #complain(command: StowageCommand, what: string): void {
    this.complaints.push(`${this.name} ${what}:\n${command.stderr.slice(-2_000)}`);
  }
}

const MOST_ATTEMPTS = 5;
