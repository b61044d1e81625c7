import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type BuildOptions, BuildStack, canBuild } from '../../support/build-stack.ts';

/** Of this machine: no step may read it. */
const SECRET = 'known-only-to-the-host';

/** Ways to read a file of this machine. */
const FILES: Record<string, (path: string) => string> = {
  'by the root of another process': (path) => `cat /proc/1/root${path}; cat /proc/*/root${path}`,
  'by its working directory': (path) => `cat /proc/*/cwd${path}; cat /proc/*/cwd/../../../../../..${path}`,
  'in variables of processes': () => 'cat /proc/*/environ | tr "\\0" "\\n"; env',
  'by its absolute path': (path) => `cat ${path}; cat ../../../../../../..${path}`,
  'by leaving its root': (path) => `mkdir /jail; chroot /jail cat ${path}; chroot /proc/1/root cat ${path}`,
  'by mounting the disk': (path) =>
    `for d in 252:0 254:0 259:0 8:0; do mknod /disk-$d b \${d%:*} 0 && mkdir -p /mnt && mount /disk-$d /mnt && cat /mnt${path}; done; echo over`,
  'by mounting anything': () =>
    'mkdir -p /mnt; mount -t proc proc /mnt && echo MOUNTED; mount -t tmpfs t /mnt && echo MOUNTED; mount --bind / /mnt && echo MOUNTED',
  'by new namespaces': () =>
    'unshare -m sh -c "mount -t tmpfs t /tmp" && echo MOUNTED; unshare -r id && echo NAMESPACE; nsenter -t 1 -m id && echo NAMESPACE',
};

const KERNEL_FILES = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sysrq-trigger',
  '/sys/kernel/uevent_helper',
  '/sys/fs/cgroup/memory/release_agent',
];

describe.runIf(canBuild())('a hostile Dockerfile', { timeout: 180_000 }, () => {
  let stack: BuildStack;
  let server: Server;
  let port: number;
  let ownAddress: string | undefined;
  let calls = 0;
  let secretFile: string;
  const kernelBefore = new Map<string, string>();

  beforeAll(async () => {
    stack = await BuildStack.start();
    process.env.STOWAGE_TEST_SECRET = SECRET;
    // On the disk, which steps try to mount, and not in memory.
    secretFile = join(mkdtempSync('/var/tmp/stowage-secret-'), 'secret');
    writeFileSync(secretFile, SECRET);
    server = createServer((_, response) => {
      calls++;
      response.end(SECRET);
    });
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    port = (server.address() as AddressInfo).port;
    ownAddress = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
  });

  afterAll(async () => {
    delete process.env.STOWAGE_TEST_SECRET;
    server?.close();
    if (secretFile) rmSync(join(secretFile, '..'), { recursive: true, force: true });
    await stack?.close();
  });

  /** What the step says, when it is let run to its end. */
  async function run(script: string, options: BuildOptions = {}): Promise<string> {
    const { lines } = await stack.build(
      { Dockerfile: `${BUSYBOX}\nCOPY step /step\nRUN sh /step 2>&1`, step: script },
      { useCache: true, ...options },
    );
    const start = lines.findIndex((line) => line.includes('RUN sh /step'));
    return lines.slice(start + 1).join('\n');
  }

  /** What steps try, each in a container of its own, by the name of the attempt. */
  function attempts(): Record<string, string> {
    const addresses = ['127.0.0.1', '10.0.2.2', 'localhost', ...(ownAddress ? [ownAddress] : [])];
    const urls = [
      ...addresses.map((address) => `http://${address}:${port}/`),
      'http://169.254.169.254/',
      `${stack.url}/livez`,
    ];
    return {
      processes: 'ls /proc | grep -c "^[0-9]*$"; cat /proc/[0-9]*/cmdline | tr "\\0" " "',
      signals: `kill -9 ${process.pid} || echo "no such process"; kill -9 -1; echo alive`,
      ...Object.fromEntries(Object.entries(FILES).map(([way, script]) => [way, script(secretFile)])),
      directories:
        'cat /proc/self/mountinfo; find / -xdev -name "*auth*.json" -o -name blobs -o -name "*.sock" 2>/dev/null; ls /var/lib /run /storage',
      ...Object.fromEntries(KERNEL_FILES.map((path) => [path, `echo x > ${path} && echo WRITTEN`])),
      rights:
        'grep CapBnd /proc/self/status; grep Seccomp: /proc/self/status; insmod /x.ko; mknod /n c 1 1 && echo NODE; hostname x && echo NAMED',
      addresses: urls.map((url) => `wget -T 3 -q -O - ${url} && echo REACHED`).join('\n'),
    };
  }

  /** One build for all attempts: its other parts take longer than any of them. */
  async function buildAttempts(): Promise<Map<string, string>> {
    const scripts = Object.entries(attempts());
    for (const path of KERNEL_FILES) kernelBefore.set(path, readKernelFile(path));
    const steps = scripts.map(([, script], index) => [`steps/${index}`, `${script}\ntrue`]);
    const { lines } = await stack.build(
      {
        Dockerfile: [BUSYBOX, 'COPY steps /steps', ...steps.map(([path]) => `RUN sh /${path} 2>&1`)].join(
          '\n',
        ),
        ...Object.fromEntries(steps),
      },
      { useCache: true, limits: { seconds: 170 } },
    );
    const starts = steps.map(([path]) => lines.findIndex((line) => line.includes(`RUN sh /${path} `)));
    expect(starts).not.toContain(-1);
    return new Map(
      scripts.map(([name], index) => [name, lines.slice(starts[index]! + 1, starts[index + 1]).join('\n')]),
    );
  }

  let attempted: Promise<Map<string, string>> | null = null;
  async function saidBy(attempt: string): Promise<string> {
    attempted ??= buildAttempts();
    return (await attempted).get(attempt)!;
  }

  it('sees no process but its own', async () => {
    const said = await saidBy('processes');
    expect(Number(said.split('\n')[0])).toBeLessThan(8);
    expect(said).not.toContain('node');
    expect(said).not.toContain('buildah');
  });

  it('signals nobody', async () => {
    expect(await saidBy('signals')).toContain('no such process');
    // This process is alive, to say so.
    expect(process.kill(process.pid, 0)).toBe(true);
  });

  it.each(Object.keys(FILES))('does not get at our files %s', async (way) => {
    const said = await saidBy(way);
    expect(said).not.toContain(SECRET);
    expect(said).not.toMatch(/MOUNTED|NAMESPACE/);
  });

  it('sees neither our data directory nor the credentials of the push', async () => {
    const said = await saidBy('directories');
    // The kernel tells where a mount lies on its disk; that path is of no use without the disk.
    expect(said.match(/registry-auth\.json|docker\.sock/)).toBeNull();
    expect(said).not.toMatch(/^\/.*blobs$/m);
  });

  it.each(KERNEL_FILES)('does not write %s', async (path) => {
    expect(await saidBy(path)).not.toContain('WRITTEN');
    expect(readKernelFile(path)).toBe(kernelBefore.get(path));
  });

  it('has no more rights than a container needs', async () => {
    const said = await saidBy('rights');
    const rights = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(said)![1]}`);
    // SYS_MODULE, NET_ADMIN, NET_RAW, SYS_CHROOT, SYS_PTRACE, SYS_ADMIN, SYS_TIME, MKNOD
    for (const right of [16n, 12n, 13n, 18n, 19n, 21n, 25n, 27n]) expect((rights >> right) & 1n).toBe(0n);
    expect(said).toMatch(/Seccomp:\s+2/);
    expect(said).not.toMatch(/NODE|NAMED/);
  });

  it('reaches nothing that listens on this machine', async () => {
    const said = await saidBy('addresses');
    expect(said).not.toContain('REACHED');
    expect(said).not.toContain(SECRET);
    expect(calls).toBe(0);
  });

  it('has no network at all in a hermetic build', async () => {
    const said = await run('ip addr | grep -c "^[0-9]"; ip route; cat /etc/resolv.conf', {
      isHermetic: true,
    });
    expect(said.split('\n')[0]).toBe('1');
    expect(said).not.toContain('default');
  });

  it.each([
    [
      'forks without end',
      'bomb() { bomb & bomb & }; bomb; while true; do sleep 1; done',
      { seconds: 8 },
      /^(step-failed|out-of-time)$/,
    ],
    [
      'ignores every signal',
      'trap "" TERM INT HUP QUIT; while true; do sleep 1; done',
      { seconds: 4 },
      /^out-of-time$/,
    ],
    [
      'fills the disk',
      'while true; do dd if=/dev/zero of=/f$((n+=1)) bs=1M count=16 2>/dev/null; done',
      { diskBytes: 128 * 1024 ** 2, seconds: 60 },
      /^out-of-disk$/,
    ],
    [
      'fills the disk with one file',
      'dd if=/dev/zero of=/f bs=1M',
      { diskBytes: 128 * 1024 ** 2, seconds: 60 },
      /^(step-failed|out-of-disk)$/,
    ],
    [
      'takes memory without end',
      'tail /dev/zero',
      { memoryBytes: 64 * 1024 ** 2, seconds: 60 },
      /^out-of-memory$/,
    ],
  ])('that %s is ended', async (_, script, limits, code) => {
    const building = stack.build(
      { Dockerfile: `${BUSYBOX}\nCOPY step /step\nRUN sh /step`, step: script },
      { limits, isHermetic: true },
    );
    await expect(building).rejects.toMatchObject({ name: 'BuildFailure', code: expect.stringMatching(code) });
    expect(stack.mounts()).toEqual([]);
    expect(controlGroups()).toEqual([]);
    expect(steps()).toEqual([]);
    await stack.settled();
    expect(processesNaming(stack.directory)).toEqual([]);
    await expect(run('echo goes on', { isHermetic: true, useCache: false })).resolves.toContain('goes on');
  });

  it('is dead within two seconds of a cancel', async () => {
    const cancel = new AbortController();
    const input = stack.input(
      {
        Dockerfile: `${BUSYBOX}\nCOPY step /step\nRUN sh /step`,
        step: 'trap "" TERM; (while true; do sleep 1; done) & echo begun; while true; do sleep 1; done',
      },
      { signal: cancel.signal },
    );
    const begun = Promise.withResolvers<void>();
    input.onLine = (line) => {
      if (line === 'begun') begun.resolve();
      return null;
    };
    const building = stack.builder().build(input);
    building.catch(() => undefined);
    await begun.promise;
    const at = Date.now();
    cancel.abort(new Error('cancelled by the test'));
    await expect(building).rejects.toThrow('cancelled by the test');
    expect(Date.now() - at).toBeLessThan(2000);
    expect(stack.mounts()).toEqual([]);
    expect(controlGroups()).toEqual([]);
    expect(steps()).toEqual([]);
    await stack.settled();
    expect(processesNaming(stack.directory)).toEqual([]);
  });
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
