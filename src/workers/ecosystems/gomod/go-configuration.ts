import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Settings } from '../../../domain/config.ts';
import { DomainError, GoModError } from '../../../domain/errors.ts';
import { startError } from './go-command.ts';

/** What the operator has set for go on this machine: STOWAGE_* settings first, then go's own configuration. */
export interface GoConfiguration {
  /** `1.26.1` */
  version: string;
  goproxy: string;
  /** True when a setting of Stowage names the proxies. */
  proxyFromSettings: boolean;
  gosumdb: string;
  goprivate: string;
  gonoproxy: string;
  gonosumdb: string;
  goinsecure: string;
  /** Whether go may fetch a newer toolchain that a go.mod asks for. */
  toolchainDownloads: boolean;
}

type Environment = Record<string, string | undefined>;
type GoVariables = Record<(typeof VARIABLES)[number], string>;

const VARIABLES = [
  'GOVERSION',
  'GOPROXY',
  'GOSUMDB',
  'GOPRIVATE',
  'GONOPROXY',
  'GONOSUMDB',
  'GOINSECURE',
  'GOTOOLCHAIN',
] as const;
const GO_SECONDS = 30;

export async function readGoConfiguration(
  settings: Pick<Settings, 'goproxy' | 'gosumdb' | 'goPrivate' | 'goToolchainDownloads'>,
  environment: Environment = process.env,
): Promise<GoConfiguration> {
  const own = await goVariables(environment);
  const isPrivate = settings.goPrivate;
  return {
    version: own.GOVERSION.replace(/^go/, '').split(/[\s-]/)[0]!,
    goproxy: settings.goproxy ?? own.GOPROXY,
    proxyFromSettings: settings.goproxy !== null,
    gosumdb: settings.gosumdb ?? own.GOSUMDB,
    goprivate: isPrivate ?? own.GOPRIVATE,
    gonoproxy: isPrivate ?? own.GONOPROXY,
    gonosumdb: isPrivate ?? own.GONOSUMDB,
    goinsecure: own.GOINSECURE,
    // `local` is how an operator says no in go's own words.
    toolchainDownloads: settings.goToolchainDownloads && own.GOTOOLCHAIN !== 'local',
  };
}

const answers = new Map<string, Promise<GoVariables>>();

/** Asked once per process and environment. */
function goVariables(environment: Environment): Promise<GoVariables> {
  const names = ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'GOENV', ...VARIABLES];
  const key = JSON.stringify(names.map((name) => environment[name] ?? null));
  let answer = answers.get(key);
  if (!answer) {
    answer = askGo(environment);
    answers.set(key, answer);
    answer.catch(() => answers.delete(key));
  }
  return answer;
}

async function askGo(environment: Environment): Promise<GoVariables> {
  try {
    const { stdout } = await promisify(execFile)('go', ['env', '-json', ...VARIABLES], {
      cwd: '/',
      // No project and no other toolchain may have a say here.
      env: { ...environment, GOWORK: 'off', GOFLAGS: '' },
      timeout: GO_SECONDS * 1000,
    });
    return JSON.parse(stdout) as GoVariables;
  } catch (error) {
    const started = startError(error as NodeJS.ErrnoException);
    if (started instanceof DomainError) throw started;
    throw new GoModError('package-manager-failed', 'Go execution failed: `go env` failed', {
      cause: error,
      hint: (error as Error).message,
    });
  }
}
