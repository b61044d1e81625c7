import { readFile, writeFile } from 'node:fs/promises';

/** Comes with the tools for containers. */
export const SYSTEM_CALL_PROFILE = '/usr/share/containers/seccomp.json';

/** What containers are usually let do so that containers can be run in them: steps make no namespaces and no mounts. */
const WITHHELD = new Set(
  `unshare setns clone clone3 mount umount umount2 pivot_root fsopen fsmount fsconfig fspick move_mount open_tree
   mount_setattr keyctl add_key request_key userfaultfd bpf perf_event_open`.split(/\s+/),
);
/** Flags of clone(2) that make namespaces. */
const NAMESPACES = 0x7e020000;

interface Profile {
  syscalls: { names: string[]; action: string; args?: object[] }[];
}

/** Writes what system calls steps may use: a stricter form of the profile that comes with the tools for containers. */
export async function writeSystemCallProfile(path: string): Promise<void> {
  const profile = JSON.parse(await readFile(SYSTEM_CALL_PROFILE, 'utf8')) as Profile;
  for (const rule of profile.syscalls) {
    if (rule.action === 'SCMP_ACT_ALLOW') rule.names = rule.names.filter((name) => !WITHHELD.has(name));
  }
  profile.syscalls = profile.syscalls.filter(({ names }) => names.length > 0);
  profile.syscalls.push({
    names: ['clone'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 0, value: NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
  });
  await writeFile(path, JSON.stringify(profile));
}
