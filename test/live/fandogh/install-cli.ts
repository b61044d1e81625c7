import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** With which both are known to work (fandogh.md 5): their own pins do not install any more. */
const LIBRARIES = [
  'click==8.5.0',
  'requests==2.34.2',
  'requests-toolbelt==1.0.0',
  'PyYAML==6.0.3',
  'retrying==1.4.2',
  'pytz',
  'websocket-client==1.9.2',
  'six',
  'wcwidth',
  'tzlocal==4.2',
  'beautifultable==0.8.0',
];

/** The last ones that read the set-up of the older client. */
const BUILD_TOOLS = ['setuptools==57.5.0', 'wheel==0.37.1'];

export interface Run {
  status: number;
  output: string;
}

/** Runs the client in a directory. */
export type FandoghCli = (
  directory: string,
  environment: NodeJS.ProcessEnv,
  ...args: string[]
) => Promise<Run>;

export async function installCli(version: string, workspace: string): Promise<FandoghCli> {
  const directory = join(workspace, `fandogh-cli-${version}`);
  await execute('python3', ['-m', 'venv', directory]);
  const pip = async (...args: string[]): Promise<void> => {
    await execute(join(directory, 'bin/pip'), ['install', '--quiet', '--no-deps', ...args]);
  };
  await pip(...BUILD_TOOLS);
  await execute(join(directory, 'bin/pip'), ['install', '--quiet', ...LIBRARIES]);
  await pip('--no-build-isolation', `fandogh-cli==${version}`);
  return async (cwd, environment, ...args) => {
    const command = ['-W', 'ignore', join(directory, 'bin/fandogh'), ...args];
    try {
      const { stdout } = await execute(join(directory, 'bin/python'), command, {
        cwd,
        env: environment,
        timeout: LONGEST_MS,
      });
      return { status: 0, output: stdout };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { status: code, output: stdout + stderr };
    }
  };
}

const LONGEST_MS = 120_000;
