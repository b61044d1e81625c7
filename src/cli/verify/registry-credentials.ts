import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InvalidInputError } from '../../domain/errors.ts';

/** What `docker login`, `podman login` or `skopeo login` have written down for a host: `user:password`; null: nothing. */
export async function loginOf(host: string, environment = process.env): Promise<string | null> {
  for (const path of loginFiles(environment)) {
    const text = await readFile(path, 'utf8').catch(() => null);
    if (text === null) continue;
    const { auths = {} } = parse(path, text);
    const found = auths[host] ?? auths[`https://${host}`] ?? auths[`https://${host}/v2/`];
    if (typeof found?.auth === 'string') return Buffer.from(found.auth, 'base64').toString('utf8');
  }
  return null;
}

function loginFiles({ REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, DOCKER_CONFIG }: NodeJS.ProcessEnv): string[] {
  if (REGISTRY_AUTH_FILE) return [REGISTRY_AUTH_FILE];
  return [
    ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, 'containers/auth.json')] : []),
    join(DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json'),
  ];
}

function parse(path: string, text: string): { auths?: Record<string, { auth?: unknown } | undefined> } {
  try {
    return (JSON.parse(text) ?? {}) as object;
  } catch (cause) {
    throw new InvalidInputError(`${path} is not JSON`, { cause });
  }
}
