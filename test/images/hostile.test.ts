import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type BuildOptions, BuildStack, canBuild } from '../support/build-stack.ts';
import { OtherMachine } from '../support/other-machine.ts';

/** Of this machine: no step may read it. */
const SECRET = 'known-only-to-the-host';
/** Of the build, for another step of it. */
const BUILD_SECRET = 'known-only-to-another-step';

const KERNEL_FILES = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sysrq-trigger',
  '/sys/kernel/uevent_helper',
  '/sys/fs/cgroup/memory/release_agent',
];

type Isolation = 'oci' | 'chroot';

interface Probe {
  title: string;
  /** Run by a step, one after the other. */
  script: string;
  /** What the step said in it. */
  check(said: string, isolation: Isolation): void;
}

/** The ways to a file of this machine. */
function waysTo(file: string): [string, string][] {
  return [
    ['by the root of another process', `cat /proc/1/root${file}; cat /proc/*/root${file}`],
    ['by its working directory', `cat /proc/*/cwd${file}; cat /proc/*/cwd/../../../../../..${file}`],
    ['by what is open', `for f in /proc/*/fd/*; do [ -d "$f" ] && ls "$f" && echo OPEN; done`],
    ['in variables of processes', 'cat /proc/*/environ | tr "\\0" "\\n"; env'],
    ['by its absolute path', `cat ${file}; cat ../../../../../../..${file}`],
    ['by leaving its root', `mkdir /jail; chroot /jail cat ${file}; chroot /proc/1/root cat ${file}`],
    [
      'by mounting the disk',
      `for d in 252:0 254:0 259:0 8:0; do mknod /disk-$d b \${d%:*} 0 && mkdir -p /mnt && mount /disk-$d /mnt && cat /mnt${file}; done`,
    ],
    [
      'by mounting anything',
      'mkdir -p /mnt; mount -t proc proc /mnt && echo MOUNTED; mount -t tmpfs t /mnt && echo MOUNTED; mount --bind / /mnt && echo MOUNTED',
    ],
    [
      'by new namespaces',
      'unshare -m sh -c "mount -t tmpfs t /tmp" && echo MOUNTED; unshare -r id && echo NAMESPACE; nsenter -t 1 -m id && echo NAMESPACE',
    ],
  ];
}

/** Raises the limits of the group that a step sees as the top of all; those of its build lie above it. */
const RAISE_LIMITS =
  'for f in $(find /sys/fs/cgroup -name "*limit_in_bytes" -o -name memory.max -o -name pids.max); do echo 9999999999 > $f; done 2>/dev/null';

function probes(secretFile: string): Probe[] {
  return [
    {
      title: 'sees no process of this machine',
      script: 'ls /proc | grep -c "^[0-9]*$"; cat /proc/[0-9]*/cmdline | tr "\\0" " "',
      check(said, isolation) {
        expect(said).not.toMatch(/node|vitest|postgres/);
        // With chroot it sees those of its build.
        if (isolation === 'chroot') return;
        expect(Number(said.split('\n')[0])).toBeLessThan(8);
        expect(said).not.toContain('buildah');
      },
    },
    {
      title: 'signals no process of this machine',
      script: `kill -9 ${process.pid} || echo "no such process"`,
      check: (said) => expect(said).toContain('no such process'),
    },
    ...waysTo(secretFile).map(([way, script]) => ({
      title: `does not get at our files ${way}`,
      script,
      check: (said: string) => expect(said).not.toMatch(/MOUNTED|NAMESPACE|OPEN/),
    })),
    {
      title: 'sees neither our data directory nor the credentials of the push',
      script:
        'cat /proc/self/mountinfo; find / -xdev -name "*auth*.json" -o -name blobs -o -name "*.sock" 2>/dev/null; ls /var/lib /run /storage',
      check(said) {
        // The kernel tells where a mount lies on its disk; that path is of no use without the disk.
        expect(said.match(/registry-auth\.json|docker\.sock/)).toBeNull();
        expect(said).not.toMatch(/^\/.*blobs$/m);
      },
    },
    ...KERNEL_FILES.map((path) => ({
      title: `does not write ${path}`,
      script: `echo x > ${path} && echo WRITTEN`,
      check: (said: string) => expect(said).not.toContain('WRITTEN'),
    })),
    {
      title: 'has no more rights than a container needs',
      script:
        'grep "Cap[BEP]" /proc/self/status; grep Seccomp: /proc/self/status; insmod /x.ko; mknod /n c 1 1 && echo NODE; hostname x && echo NAMED',
      check(said) {
        for (const name of ['CapBnd', 'CapEff', 'CapPrm']) {
          const rights = BigInt(`0x${new RegExp(`${name}:\\s+(\\w+)`).exec(said)![1]}`);
          // SYS_MODULE, NET_ADMIN, NET_RAW, SYS_CHROOT, SYS_PTRACE, SYS_ADMIN, SYS_TIME, MKNOD
          for (const right of [16n, 12n, 13n, 18n, 19n, 21n, 25n, 27n])
            expect((rights >> right) & 1n).toBe(0n);
        }
        expect(said).toMatch(/Seccomp:\s+2/);
        expect(said).not.toMatch(/NODE|NAMED/);
      },
    },
  ];
}

/** What else would not end, the limits, and how it is ended; the disk is watched in the same way with any isolation. */
const ENDINGS: [
  does: string,
  script: string,
  limits: BuildOptions['limits'] & object,
  failure: object,
  only?: Isolation,
][] = [
  [
    'forks without end',
    `${RAISE_LIMITS}; bomb() { bomb & bomb & }; bomb; while true; do sleep 1; done`,
    { seconds: 5 },
    { code: expect.stringMatching(/^(step-failed|out-of-time)$/) },
  ],
  [
    'ignores every signal',
    'trap "" TERM INT HUP QUIT; while true; do sleep 1; done',
    // Time enough to come to the step on a busy machine.
    { seconds: 8 },
    { code: 'out-of-time', details: { line: 5, seconds: 8 } },
  ],
  [
    'fills the disk',
    'while true; do dd if=/dev/zero of=/f$((n+=1)) bs=1M count=16 2>/dev/null; done',
    { diskBytes: 128 * 1024 ** 2, seconds: 60 },
    { code: 'out-of-disk' },
    'oci',
  ],
  [
    'fills the disk with one file',
    'dd if=/dev/zero of=/f bs=1M',
    { diskBytes: 128 * 1024 ** 2, seconds: 60 },
    { code: expect.stringMatching(/^(step-failed|out-of-disk)$/) },
    'oci',
  ],
  [
    'takes memory without end',
    `${RAISE_LIMITS}; tail /dev/zero`,
    { memoryBytes: 64 * 1024 ** 2, seconds: 60 },
    { code: 'out-of-memory' },
  ],
];

describe.runIf(canBuild())('a hostile Dockerfile', { timeout: 180_000 }, () => {
  // On the disk, which steps try to mount, and not in memory.
  const secretFile = `/var/tmp/stowage-secret-${process.pid}/secret`;
  const PROBES = probes(secretFile);
  let stack: BuildStack;
  let server: Server;
  let port: number;
  let other: OtherMachine;
  let calls = 0;

  beforeAll(async () => {
    stack = await BuildStack.start();
    other = await OtherMachine.start();
    process.env.STOWAGE_TEST_SECRET = SECRET;
    mkdirSync(dirname(secretFile));
    writeFileSync(secretFile, SECRET);
    server = createServer((_, response) => {
      calls++;
      response.end(SECRET);
    });
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    port = (server.address() as AddressInfo).port;
  });

  afterAll(async () => {
    delete process.env.STOWAGE_TEST_SECRET;
    server?.close();
    rmSync(dirname(secretFile), { recursive: true, force: true });
    await other?.close();
    await stack?.close();
  });

  /** What it tries to reach, by name. */
  function targets(): Record<string, string> {
    const own = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address }) => address);
    const here = ['127.0.0.1', ...own].map((address) => [
      `this machine at ${address}`,
      `http://${address}:${port}/`,
    ]);
    return {
      ...Object.fromEntries(here),
      'our registry': `${stack.url}/livez`,
      'a public address': other.publicUrl,
      'a private address': other.privateUrl,
      'a link-local address': other.linkLocalUrl,
    };
  }

  it('would find all that it tries to reach, were it not a step', async () => {
    expect(networkInterfaces()).toMatchObject({
      [`stowage${process.pid}`]: expect.arrayContaining([
        expect.objectContaining({ address: other.ownAddress }),
      ]),
    });
    for (const url of Object.values(targets())) expect((await fetch(url)).status).toBe(200);
    expect(calls).toBeGreaterThanOrEqual(2);
  });

  describe.each(['oci', 'chroot'] as const)('with isolation %s', (isolation) => {
    let said: Map<string, string>;

    /** What the step says, when it is let run to its end. */
    async function run(
      script: string,
      options: BuildOptions = {},
      environment: Record<string, string> = {},
    ): Promise<string> {
      const { lines } = await stack.build(
        { Dockerfile: `${BUSYBOX}\nCOPY step /step\nRUN sh /step 2>&1`, step: `${script}\ntrue` },
        { cacheScope: isolation, ...options },
        { STOWAGE_BUILD_ISOLATION: isolation, ...environment },
      );
      const start = lines.findIndex((line) => line.includes('RUN sh /step'));
      return lines.slice(start + 1).join('\n');
    }

    /** The names of what it has reached. */
    async function reached(
      options: BuildOptions = {},
      environment: Record<string, string> = {},
    ): Promise<string[]> {
      const attempts = Object.entries({
        ...targets(),
        'this machine, as its way out is called': `http://10.0.2.2:${port}/`,
        'a metadata service': 'http://169.254.169.254/',
      }).map(([name, url]) => {
        // Not wget: in a static busybox it needs libraries that are not there.
        const { hostname, port: its } = new URL(url);
        return `(printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 3 ${hostname} ${its || 80} | grep HTTP/ && echo "REACHED: ${name}") &`;
      });
      const text = await run(`${attempts.join('\n')}\nwait`, options, environment);
      expect(text).not.toContain(SECRET);
      return [...text.matchAll(/^REACHED: (.*)$/gm)].map(([, name]) => name!).sort();
    }

    beforeAll(async () => {
      const script = PROBES.map((probe, index) => `echo; echo "== ${index}"\n(\n${probe.script}\n)`).join(
        '\n',
      );
      const before = KERNEL_FILES.map(readKernelFile);
      const text = await run(script, { secrets: { token: BUILD_SECRET } });
      expect(KERNEL_FILES.map(readKernelFile)).toEqual(before);
      for (const secret of [SECRET, BUILD_SECRET]) expect(text).not.toContain(secret);
      const sections = text.split(/^== \d+$/m).slice(1);
      expect(sections).toHaveLength(PROBES.length);
      said = new Map(PROBES.map(({ title }, index) => [title, sections[index]!.trim()]));
    });

    it.each(PROBES)('$title', ({ title, check }) => check(said.get(title)!, isolation));

    it('reaches the world, but neither this machine nor private networks', async () => {
      const before = calls;
      expect(await reached()).toEqual(['a public address']);
      expect(calls).toBe(before);
    });

    it('reaches private networks where that is allowed, and nothing else', async () => {
      const before = calls;
      const environment = { STOWAGE_ALLOW_PRIVATE_NETWORKS: 'true' };
      expect(await reached({ useCache: false }, environment)).toEqual([
        'a private address',
        'a public address',
      ]);
      expect(calls).toBe(before);
    });

    it('has no network at all in a hermetic build', async () => {
      expect(await reached({ isHermetic: true, useCache: false })).toEqual([]);
    });

    it('that signals everybody ends nothing but its own build', async () => {
      const building = run('kill -9 -1; echo alive', { isHermetic: true });
      // With chroot the builder is among those that it can signal.
      if (isolation === 'oci') expect(await building).toContain('alive');
      else await expect(building).rejects.toMatchObject({ name: 'BuildFailure' });
      await expectNothingLeft();
    });

    it.each(ENDINGS.filter(([, , , , only]) => only === undefined || only === isolation))(
      'that %s is ended',
      async (_, script, limits, failure) => {
        const building = stack.build(
          { Dockerfile: `${BUSYBOX}\nCOPY step /step\nRUN sh /step`, step: script },
          { limits, isHermetic: true, cacheScope: isolation },
          { STOWAGE_BUILD_ISOLATION: isolation },
        );
        await expect(building).rejects.toMatchObject({ name: 'BuildFailure', ...failure });
        await expectNothingLeft();
      },
    );

    it('lets other builds go on when it has ended', async () => {
      await expect(run('echo goes on', { isHermetic: true, useCache: false })).resolves.toContain('goes on');
    });

    it('is dead within two seconds of a cancel', async () => {
      const cancel = new AbortController();
      const input = stack.input(
        {
          Dockerfile: `${BUSYBOX}\nCOPY step /step\nRUN sh /step`,
          step: 'trap "" TERM; (while true; do sleep 1; done) & echo begun; while true; do sleep 1; done',
        },
        { signal: cancel.signal, cacheScope: isolation },
      );
      const begun = Promise.withResolvers<void>();
      input.onLine = (line) => {
        if (line === 'begun') begun.resolve();
        return null;
      };
      const building = stack.builder({ STOWAGE_BUILD_ISOLATION: isolation }).build(input);
      building.catch(() => undefined);
      await begun.promise;
      const at = Date.now();
      cancel.abort(new Error('cancelled by the test'));
      await expect(building).rejects.toThrow('cancelled by the test');
      expect(Date.now() - at).toBeLessThan(2000);
      await expectNothingLeft();
    });
  });

  async function expectNothingLeft(): Promise<void> {
    expect(stack.mounts()).toEqual([]);
    expect(controlGroups()).toEqual([]);
    expect(steps()).toEqual([]);
    await stack.settled();
    expect(processesNaming(stack.directory)).toEqual([]);
  }
});

function readKernelFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!;
  }
}

/** Of builds of this process. */
function controlGroups(): string[] {
  return ['/sys/fs/cgroup', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/pids'].flatMap((directory) => {
    try {
      return readdirSync(directory).filter((name) => name.startsWith(`stowage-build-${process.pid}-`));
    } catch {
      return [];
    }
  });
}

function steps(): string[] {
  return commandLines().filter((line) => line === 'sh\0/step\0');
}

function processesNaming(directory: string): string[] {
  return commandLines().filter((line) => line.includes(directory));
}

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });
}
