import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from './deployment.ts';
import type { Random } from './random.ts';
import type { ServiceKind, ServiceProcess } from './service-process.ts';

/** How often each happens in a run; the order, the victims and the pauses are random. */
const FAULTS = {
  'worker SIGKILL': 6,
  'worker SIGTERM': 3,
  'gateway SIGKILL': 3,
  'gateway SIGTERM': 2,
  'PostgreSQL killed': 2,
  'PostgreSQL restarted': 2,
  'connections to PostgreSQL cut': 4,
  'connections to S3 cut': 3,
  'connections of clients cut': 4,
} as const;

/** Beside the next one: a busy machine needs long to start them again, and would have nothing left to do things to. */
const MOST_AWAY = 1;

export type Fault = keyof typeof FAULTS;

/** Does everything on the list to a deployment and sees to it that all of it is up again. Returns what was done. */
export async function injectFaults(deployment: Deployment, random: Random): Promise<Map<Fault, number>> {
  const done = new Map<Fault, number>();
  const away = new Set<Promise<void>>();
  const plan = Object.entries(FAULTS).flatMap(([fault, times]) => Array(times).fill(fault as Fault));
  for (const fault of random.shuffled<Fault>(plan)) {
    await sleep(random.between(300, 2_500));
    while (away.size > MOST_AWAY || !(await inject(fault, { deployment, random, away }))) await sleep(100);
    done.set(fault, (done.get(fault) ?? 0) + 1);
  }
  await Promise.all(away);
  return done;
}

interface Scene {
  deployment: Deployment;
  random: Random;
  /** Those that were ended, until they are up again. */
  away: Set<Promise<void>>;
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
  { deployment, random, away }: Scene,
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
  away.add(started);
  // Who does not come up again stays, and is told of in the end.
  started.then(
    () => away.delete(started),
    () => undefined,
  );
  return true;
}
