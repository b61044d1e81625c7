import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PORT = 8080;
/** Answers every request with where it was reached. */
const SERVER = `require('node:http')
  .createServer((request, response) => response.end('reached ' + request.socket.localAddress))
  .listen(${PORT}, '0.0.0.0', () => console.log('listening'));`;

/**
 * Another machine, to the eyes of this one: a network of its own at the end of a cable (veth), with a web server at a public
 * address (of a range for documentation), a private one and a link-local one. All are reached from here.
 */
export class OtherMachine {
  readonly publicUrl: string;
  readonly privateUrl: string;
  readonly linkLocalUrl: string;
  /** This machine's own end of the cable. */
  readonly ownAddress: string;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, place: number) {
    this.#process = child;
    const url = (network: string): string => `http://${network}.${place + 2}:${PORT}`;
    this.publicUrl = url('203.0.113');
    this.privateUrl = url('172.30.113');
    this.linkLocalUrl = url('169.254.113');
    this.ownAddress = `203.0.113.${place + 1}`;
  }

  static async start(): Promise<OtherMachine> {
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', 'unshare', '--net', process.execPath, '-e', SERVER],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    // Four addresses for each cable: others may run the same test at the same time.
    const place = (process.pid % 63) * 4;
    const machine = new OtherMachine(child, place);
    try {
      await once(child.stdout!, 'data');
      await machine.#connect(place);
      await machine.#untilReached();
    } catch (error) {
      await machine.close();
      throw error;
    }
    return machine;
  }

  async #connect(place: number): Promise<void> {
    const cable = `stowage${process.pid}`;
    const pid = String(this.#process.pid);
    const there = ['nsenter', '--target', pid, '--net'];
    const addresses = (host: number): string[] =>
      ['203.0.113', '172.30.113', '169.254.113'].map((network) => `${network}.${place + host}/30`);
    await run('ip', ['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'cable', 'netns', pid]);
    for (const address of addresses(1)) await run('ip', ['address', 'add', address, 'dev', cable]);
    await run('ip', ['link', 'set', cable, 'up']);
    const [program, ...inside] = there as [string, ...string[]];
    for (const address of addresses(2)) {
      await run(program, [...inside, 'ip', 'address', 'add', address, 'dev', 'cable']);
    }
    await run(program, [...inside, 'ip', 'link', 'set', 'cable', 'up']);
  }

  /** A cable that was just plugged in is not in use at once, and not listed before. */
  async #untilReached(): Promise<void> {
    for (const end = Date.now() + 20_000; ; await delay(20)) {
      const isListed = Object.values(networkInterfaces()).some((addresses) =>
        addresses?.some(({ address }) => address === this.ownAddress),
      );
      if (isListed && (await fetch(this.publicUrl).catch(() => null))?.ok) return;
      if (Date.now() > end) throw new Error(`${this.publicUrl} is not reached from here`);
    }
  }

  /** With it go its network and the cable. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}
