import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type NetrcEntry, parseNetrc } from './netrc.ts';

type Environment = Record<string, string | undefined>;

/** `credentials`: name and password, with a colon between. */
export function basicAuthorization(credentials: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** With the credentials of an upstream's URL, for URLs of the same server; null when they are not for this one. */
export function ownAuthorization(target: URL, upstream: URL): { authorization: string } | null {
  const isSameServer = target.host === upstream.host && target.protocol === upstream.protocol;
  if (!isSameServer || upstream.username === '') return null;
  return basicAuthorization(
    `${decodeURIComponent(upstream.username)}:${decodeURIComponent(upstream.password)}`,
  );
}

export function netrcAuthorization({ hostname }: URL, netrc: readonly NetrcEntry[]): Record<string, string> {
  const entry = netrc.find(({ machine }) => machine === hostname);
  return entry ? basicAuthorization(`${entry.login}:${entry.password}`) : {};
}

/** Where the operator's netrc lies; it may not exist. */
export function netrcPath(environment: Environment = process.env): string {
  return environment.NETRC ?? join(environment.HOME ?? homedir(), '.netrc');
}

/** None when there is no such file. */
export async function readNetrc(environment: Environment): Promise<NetrcEntry[]> {
  return parseNetrc(await readFile(netrcPath(environment), 'utf8').catch(() => ''));
}
