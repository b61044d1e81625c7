import { randomBytes } from 'node:crypto';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type LiveServer, startServer } from '../registry/server.ts';
import { application } from './application.ts';
import type { FandoghCli, Run } from './install-cli.ts';
import { reach } from './reach.ts';
import { listen } from './tunnel.ts';

const UPLOAD_BYTES = 8_000_000;
const SENT_BEFORE_CUT = 2_000_000;

/**
 * What goes wrong around the newer CLI (fandogh.md 6): it ends with the status and the words that its users know, or it
 * goes on as if nothing had been.
 */
export async function driveFaults(cli: FandoghCli, workspace: string): Promise<void> {
  const home = join(workspace, 'home-faults');
  const dataDir = join(workspace, 'data-faults');
  let server = await startServer(dataDir);
  const gate = await openGate(Number(new URL(server.url).port));
  const { environment, close } = await reach('1.26.10', gate.url, home);
  const app = await application(join(workspace, 'faults'), 'CMD ["/bin/busybox", "true"]');
  const fandogh = (...args: string[]): Promise<Run> => cli(app, environment, ...args);
  const publish = (version: string): Promise<Run> => fandogh('image', 'publish', '--version', version);
  const whileBuilding = async (version: string, happens: () => Promise<void>): Promise<Run> => {
    // A step of its own: the others are cached.
    const step = `RUN ["/bin/busybox", "sh", "-c", "echo waiting for ${version}; /bin/busybox sleep 6"]`;
    await appendFile(join(app, 'Dockerfile'), `${step}\n`);
    const published = publish(version);
    await untilLogged(server, version, `waiting for ${version}`);
    await happens();
    return await published;
  };
  const logIn = (): Promise<Run> =>
    fandogh('login', '--username', server.user, '--password', server.password);
  try {
    expectRun('login', await logIn(), 0);
    expectRun('a name that is none', await fandogh('image', 'init', '--name', 'a b'), 102, ' -> name: [');
    expectRun('a name', await fandogh('image', 'init', '--name', IMAGE), 0);
    expectRun('a version that is none', await publish('a b'), 102, ' -> version: [');

    await writeFile(join(app, 'large'), randomBytes(UPLOAD_BYTES));
    gate.cutAfter(SENT_BEFORE_CUT);
    expectRun('an upload that is cut', await publish('v1'), 104);
    gate.cutAfter(Number.POSITIVE_INFINITY);
    expectRun('and sent again', await publish('v1'), 0, 'Image has been pushed');

    const restart = async (): Promise<void> => {
      const { port } = new URL(server.url);
      await server.stop();
      server = await startServer(dataDir, port);
    };
    expectRun('a server that is started again', await whileBuilding('v2', restart), 0, 'has been pushed');
    const killWorker = async (): Promise<void> => void process.kill(await workerOf(dataDir), 'SIGKILL');
    expectRun('a worker that is killed', await whileBuilding('v3', killWorker), 0, 'has been pushed');

    await replaceToken(home);
    expectRun('a token that is not valid', await fandogh('image', 'list'), 103, 'login');
    expectRun('login again', await logIn(), 0);
    expectRun(
      'all that was built',
      await fandogh('image', 'versions', '--image', IMAGE),
      0,
      'v1',
      'v2',
      'v3',
    );
  } finally {
    close();
    gate.close();
    await server.stop();
  }
}

const IMAGE = 'faults';

function expectRun(what: string, { status, output }: Run, expected: number, ...texts: string[]): void {
  const missing = texts.filter((text) => !output.includes(text));
  if (status !== expected || missing.length > 0) {
    throw new Error(`${what}: exit status ${status}, without ${missing}\n${output}`);
  }
  console.log(`ok - ${what} (${status})`);
}

async function untilLogged({ url, authorization }: LiveServer, version: string, text: string): Promise<void> {
  const until = Date.now() + LONGEST_MS;
  while (Date.now() < until) {
    const response = await fetch(`${url}/api/images/${IMAGE}/versions/${version}/builds`, {
      headers: { authorization },
    });
    const { logs = '' } = (await response.json()) as { logs?: string };
    if (logs.split('\n').includes(text)) return;
    await pause(200);
  }
  throw new Error(`the build of ${version} did not come to "${text}"`);
}

const LONGEST_MS = 60_000;

/** The worker of the server with this data directory. */
async function workerOf(dataDir: string): Promise<number> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const [command = '', environment = ''] = await Promise.all(
      ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
    );
    const isWorker = command.split('\0').slice(-2)[0] === 'worker';
    if (isWorker && environment.includes(`STOWAGE_DATA_DIR=${dataDir}\0`)) return Number(pid);
  }
  throw new Error('there is no worker');
}

/** As if it had expired. */
async function replaceToken(home: string): Promise<void> {
  const path = join(home, '.fandogh/credentials.yml');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replaceAll(/^(\W*token:).*$/gm, '$1 asda'));
}

interface Gate {
  url: string;
  /** Connections break when so many bytes were sent over one. */
  cutAfter(bytes: number): void;
  close(): void;
}

/** In front of a server that may go and come back. */
async function openGate(port: number): Promise<Gate> {
  let most = Number.POSITIVE_INFINITY;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let sent = 0;
    for (const one of [client, upstream]) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        sockets.delete(one);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      sent += chunk.length;
      if (sent > most) client.destroy();
    });
    client.pipe(upstream).pipe(client);
  });
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    cutAfter(bytes) {
      most = bytes;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
