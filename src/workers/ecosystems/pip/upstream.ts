import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Settings } from '../../../domain/config.ts';
import { NetworkError } from '../../../domain/errors.ts';
import { netrcAuthorization, ownAuthorization, readNetrc } from '../../downloads/credentials.ts';
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
  const netrc = await readNetrc(environment);
  return {
    index: upstreamBaseUrl(configured),
    headersFor: (target) =>
      ownAuthorization(new URL(target), url) ?? netrcAuthorization(new URL(target), netrc),
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
