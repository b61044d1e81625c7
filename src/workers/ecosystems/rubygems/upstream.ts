import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../../../domain/config.ts';
import {
  basicAuthorization,
  netrcAuthorization,
  ownAuthorization,
  readNetrc,
} from '../../downloads/credentials.ts';
import type { NetrcEntry } from '../../downloads/netrc.ts';
import { upstreamBaseUrl } from '../../downloads/upstream-base-url.ts';
import { CONTRACT_REMOTE } from './classify.ts';
import { settingKey } from './setting-key.ts';

/** Where gems come from on this machine. */
export interface Upstream {
  /** What serves the gems of a registry that a lock names. */
  sourceFor(remote: string): GemSource;
  /** Whether the operator configured this registry. */
  isConfigured(remote: string): boolean;
}

export interface GemSource {
  /** Ends in `/`, no credentials. */
  url: string;
  headersFor(url: string): Record<string, string>;
}

type Environment = Record<string, string | undefined>;
/** Bundler's settings by their names in the environment, e.g. `BUNDLE_MIRROR__ALL`. */
type BundlerSettings = ReadonlyMap<string, string>;

const MIRROR_KEY = 'BUNDLE_MIRROR__';

/**
 * STOWAGE_RUBYGEMS_SOURCE, else what Bundler itself would use here: its mirrors (environment, then the user's
 * configuration), for the registry of the contract the first source of the user's or the system's gemrc; without any of
 * them what the lock names.
 */
export async function readUpstream(
  settings: Pick<Settings, 'rubygemsSource'>,
  environment: Environment = process.env,
): Promise<Upstream> {
  const bundler = await readBundlerSettings(environment);
  const gemSources = settings.rubygemsSource === null ? await readGemSources(environment) : [];
  const netrc = await readNetrc(environment);
  const everywhere = settings.rubygemsSource ?? httpUrl(bundler.get(`${MIRROR_KEY}ALL`));
  // Of a registry of the operator's own: a gem of that name elsewhere is another one.
  const sourceOf = (remote: string): string | undefined => {
    const base = upstreamBaseUrl(remote);
    return base === CONTRACT_REMOTE
      ? gemSources[0]
      : gemSources.find((source) => upstreamBaseUrl(source) === base);
  };
  const choose = (remote: string): string =>
    everywhere ?? httpUrl(bundler.get(mirrorKey(remote))) ?? sourceOf(remote) ?? remote;
  const configured = [
    settings.rubygemsSource,
    ...gemSources,
    ...[...bundler].flatMap(([key, value]) => (key.startsWith(MIRROR_KEY) ? [httpUrl(value)] : [])),
  ].flatMap((url) => (url == null ? [] : [upstreamBaseUrl(url)]));
  return {
    sourceFor(remote) {
      const chosen = choose(remote);
      return {
        url: upstreamBaseUrl(chosen),
        headersFor: (url) => authorization(new URL(url), new URL(chosen), bundler, netrc),
      };
    },
    isConfigured: (remote) => configured.includes(upstreamBaseUrl(remote)),
  };
}

function httpUrl(text: string | undefined): string | null {
  return text !== undefined && /^https?:\/\//i.test(text) && URL.canParse(text) ? text : null;
}

function mirrorKey(remote: string): string {
  return settingKey(`mirror.${remote.replace(/\/*$/, '/')}`);
}

// --- configuration files --------------------------------------------------------------------------------------------

async function readBundlerSettings(environment: Environment): Promise<BundlerSettings> {
  const file =
    environment.BUNDLE_CONFIG ||
    environment.BUNDLE_USER_CONFIG ||
    join(environment.BUNDLE_USER_HOME || join(homeOf(environment), '.bundle'), 'config');
  const found = new Map<string, string>();
  const add = (key: string, value: string): void => {
    // Host names and mirrors are written with and without the slash at the end, in any case.
    const isMirrorUrl = key.startsWith(`${MIRROR_KEY}HTTP`) && !key.endsWith('__FALLBACK_TIMEOUT');
    found.set(isMirrorUrl ? key.replace(/\/*$/, '/') : key, value);
  };
  for (const line of (await readText(file)).split(/\r?\n/)) {
    const [, key, , value] = /^(BUNDLE_\S*?): (["']?)(.*)\2$/.exec(line.trimEnd()) ?? [];
    if (key !== undefined && value !== undefined) add(key.toUpperCase(), value);
  }
  for (const [key, value] of Object.entries(environment)) {
    if (key.startsWith('BUNDLE_') && value) add(key.toUpperCase(), value);
  }
  return found;
}

/** `:sources:` of a gemrc: a list, an item a line. */
async function readGemSources(environment: Environment): Promise<string[]> {
  const files = [
    ...(environment.GEMRC ?? '').split(/[:;]/),
    join(homeOf(environment), '.gemrc'),
    '/etc/gemrc',
  ];
  for (const file of files) {
    if (file === '') continue;
    const sources = sourcesOf(await readText(file));
    if (sources.length > 0) return sources;
  }
  return [];
}

function sourcesOf(gemrc: string): string[] {
  const sources: string[] = [];
  let isSources = false;
  for (const line of gemrc.split(/\r?\n/)) {
    const [, item] = /^ *- *["']?(\S+?)["']?\s*$/.exec(line) ?? [];
    if (item === undefined) isSources = /^:?sources:\s*$/.test(line);
    else if (isSources && httpUrl(item) !== null) sources.push(item);
  }
  return sources;
}

function homeOf(environment: Environment): string {
  return environment.HOME ?? homedir();
}

async function readText(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch(() => '');
}

// --- credentials ----------------------------------------------------------------------------------------------------

/** Of the source's URL, of Bundler's settings, or of netrc, for URLs of the host that they belong to. */
function authorization(
  target: URL,
  source: URL,
  bundler: BundlerSettings,
  netrc: readonly NetrcEntry[],
): Record<string, string> {
  const ofHost = bundler.get(settingKey(target.hostname));
  return (
    ownAuthorization(target, source) ??
    (ofHost === undefined ? netrcAuthorization(target, netrc) : basicAuthorization(ofHost))
  );
}
