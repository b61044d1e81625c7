import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Settings } from '../../../domain/config.ts';
import { NetworkError } from '../../../domain/errors.ts';
import { type NetrcEntry, parseNetrc } from '../../downloads/netrc.ts';
import { upstreamBaseUrl } from '../../downloads/upstream-base-url.ts';
import { parseLiteral } from './python-literal.ts';

/** The index that all Python projects come from on this machine. */
export interface Upstream {
  /** The PEP 503 page, ends in `/`, no credentials. */
  index: string;
  /** Credentials of the index's URL or of netrc, for URLs of the host that they belong to. */
  headersFor(url: string): Record<string, string>;
}

type Environment = Record<string, string | undefined>;
export type RunPip = (args: readonly string[]) => Promise<string>;

const PIP_SECONDS = 30;

/**
 * STOWAGE_PYPI_INDEX, else what pip itself would use here: PIP_INDEX_URL, its configuration files, its own default.
 * A setting may leave out the last part, `/simple`; pip's own configuration is taken as it is.
 */
export async function readUpstream(
  settings: Pick<Settings, 'pypiIndex'>,
  environment: Environment = process.env,
  runPip: RunPip = pip,
): Promise<Upstream> {
  const configured =
    settings.pypiIndex === null
      ? // pip takes an empty variable for none.
        environment.PIP_INDEX_URL || (await pipIndex(environment, runPip))
      : withSimple(settings.pypiIndex);
  if (!/^https?:\/\//i.test(configured) || !URL.canParse(configured)) {
    throw new NetworkError('fetch-failed', 'The package index is not an http or https URL', {
      hint: 'Set STOWAGE_PYPI_INDEX to the URL of a package index, or index-url in the configuration of pip.',
    });
  }
  const url = new URL(configured);
  const own = url.username === '' ? null : { login: url.username, password: url.password };
  const netrc = await readNetrc(environment);
  return {
    index: upstreamBaseUrl(configured),
    headersFor: (target) => authorization(new URL(target), url, own, netrc),
  };
}

/** Whether an URL of a requirements file names the same index. */
export function isSameIndex(upstream: Upstream, text: string): boolean {
  return URL.canParse(text) && upstreamBaseUrl(text) === upstream.index;
}

const answers = new Map<string, Promise<string>>();

/** Asked once per process and environment: a start of pip takes a while. */
function pipIndex(environment: Environment, runPip: RunPip): Promise<string> {
  if (runPip !== pip) return askPip(runPip);
  const key = JSON.stringify([environment.PIP_CONFIG_FILE, environment.HOME, environment.PATH]);
  let answer = answers.get(key);
  if (!answer) {
    answer = askPip(runPip);
    answers.set(key, answer);
    answer.catch(() => answers.delete(key));
  }
  return answer;
}

async function askPip(runPip: RunPip): Promise<string> {
  try {
    const [configuration, help] = await Promise.all([
      runPip(['config', 'list']),
      runPip(['help', 'download']),
    ]);
    const index = configuredIndex(configuration) ?? defaultIndex(help);
    if (index !== null) return index;
  } catch (cause) {
    throw noIndex(cause);
  }
  throw noIndex();
}

/** Lines like `global.index-url='https://…'`; what is said for `pip download` counts more. */
function configuredIndex(output: string): string | null {
  for (const section of [':env:', 'download', 'install', 'global']) {
    for (const line of output.split(/\r?\n/)) {
      const prefix = `${section}.index-url=`;
      if (!line.startsWith(prefix)) continue;
      const value = parseLiteral(line.slice(prefix.length));
      if (typeof value === 'string' && value !== '') return value;
    }
  }
  return null;
}

/** `--index-url <url>  Base URL of the Python Package Index (default https://…).`, wrapped anywhere. */
function defaultIndex(help: string): string | null {
  const option = /--index-url <url>([\s\S]*?)(?=\n\s+-)/.exec(help)?.[1] ?? '';
  return /\(default\s+(https?:\/\/[^\s)]+)\s*\)/.exec(option)?.[1] ?? null;
}

/** The pip on PATH, without the variables that are answered before it is asked. */
const pip: RunPip = async (args) => {
  const { PIP_INDEX_URL: _, ...environment } = process.env;
  const { stdout } = await promisify(execFile)('python3', ['-m', 'pip', ...args], {
    cwd: '/',
    env: { ...environment, COLUMNS: '200', PIP_DISABLE_PIP_VERSION_CHECK: '1', PYTHONIOENCODING: 'utf-8' },
    timeout: PIP_SECONDS * 1000,
    maxBuffer: 4 * 1024 * 1024,
  });
  return stdout;
};

function noIndex(cause?: unknown): NetworkError {
  return new NetworkError('fetch-failed', 'No Python package index is known on this machine', {
    cause,
    hint: 'Set STOWAGE_PYPI_INDEX to the URL of a package index, or install pip: its configuration is used then.',
  });
}

function withSimple(setting: string): string {
  const url = new URL(setting);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith('simple') ? path : `${path}/simple`;
  return url.href;
}

function authorization(
  target: URL,
  index: URL,
  own: { login: string; password: string } | null,
  netrc: readonly NetrcEntry[],
): Record<string, string> {
  if (own && target.host === index.host && target.protocol === index.protocol) {
    return basic(decodeURIComponent(own.login), decodeURIComponent(own.password));
  }
  const entry = netrc.find(({ machine }) => machine === target.hostname);
  return entry ? basic(entry.login, entry.password) : {};
}

function basic(login: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}` };
}

async function readNetrc(environment: Environment): Promise<NetrcEntry[]> {
  const path = environment.NETRC ?? join(environment.HOME ?? homedir(), '.netrc');
  try {
    return parseNetrc(await readFile(path, 'utf8'));
  } catch {
    return [];
  }
}
