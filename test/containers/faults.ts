import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from './deployment.ts';
import type { Random } from './random.ts';
import type { ServiceKind, ServiceProcess } from './service-process.ts';

/** How often each happens in a run; the order, the victims and the pauses are random. */
const FAULTS = {
  'worker SIGKILL': 8,
  'worker SIGTERM': 5,
  'gateway SIGKILL': 4,
  'gateway SIGTERM': 3,
  'PostgreSQL killed': 3,
  'PostgreSQL restarted': 3,
  'connections to PostgreSQL cut': 5,
  'connections to S3 cut': 4,
  'connections of clients cut': 5,
} as const;

export type Fault = keyof typeof FAULTS;

/** Does everything on the list to a deployment and sees to it that all of it is up again. Returns what was done. */
export async function injectFaults(deployment: Deployment, random: Random): Promise<Map<Fault, number>> {
  const done = new Map<Fault, number>();
  const starting: Promise<void>[] = [];
  const plan = Object.entries(FAULTS).flatMap(([fault, times]) => Array(times).fill(fault as Fault));
  for (const fault of random.shuffled<Fault>(plan)) {
    await sleep(random.between(300, 2_500));
    while (!(await inject(fault, { deployment, random, starting }))) await sleep(200);
    done.set(fault, (done.get(fault) ?? 0) + 1);
  }
  await Promise.all(starting);
  return done;
}

interface Scene {
  deployment: Deployment;
  random: Random;
  /** What comes up again meanwhile. */
  starting: Promise<void>[];
}

/** False: there was nobody left to do it to. */
async function inject(fault: Fault, scene: Scene): Promise<boolean> {
  const { postgres, proxies } = scene.deployment;
  switch (fault) {
    case 'worker SIGKILL':
    case 'gateway SIGKILL':
    case 'worker SIGTERM':
    case 'gateway SIGTERM': {
      const [kind, signal] = fault.split(' ') as [ServiceKind, 'SIGKILL' | 'SIGTERM'];
      return await endOne(kind, signal, scene);
    }
    case 'PostgreSQL killed':
      await postgres.restart('SIGKILL');
      return true;
    case 'PostgreSQL restarted':
      await postgres.restart('SIGINT');
      return true;
    case 'connections to PostgreSQL cut':
      return proxies.database.cut() > 0;
    case 'connections to S3 cut':
      return proxies.s3.cut() > 0;
    case 'connections of clients cut':
      return proxies.gateways.cut() > 0;
  }
}

async function endOne(
  kind: ServiceKind,
  signal: 'SIGKILL' | 'SIGTERM',
  { deployment, random, starting }: Scene,
): Promise<boolean> {
  const all: ServiceProcess[] = kind === 'gateway' ? deployment.gateways : deployment.workers;
  const alive = all.filter(({ isReady }) => isReady);
  if (alive.length === 0) return false;
  const victim = random.one(alive);
  const pause = random.between(0, 2_000);
  const again = async (): Promise<void> => {
    await victim.end(signal);
    await sleep(pause);
    await victim.start();
  };
  const started = again();
  started.catch(() => undefined);
  starting.push(started);
  return true;
}
