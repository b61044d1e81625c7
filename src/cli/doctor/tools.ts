import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type Check, type CheckResult, fail, ok, warn } from './check.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;
const OLDEST_NODE = 24;

interface Tool {
  name: string;
  /** Any of these, the first that is found. */
  commands: readonly string[];
  args: readonly string[];
  version: RegExp;
  missing: CheckResult['state'];
  advice: string;
}

const TOOLS: readonly Tool[] = [
  {
    name: 'git',
    commands: ['git'],
    args: ['--version'],
    version: /(\d+\.\d+[\d.]*)/,
    missing: 'fail',
    advice: 'Install git; every source comes through it.',
  },
  {
    name: 'go',
    commands: ['go'],
    args: ['version'],
    version: /go(\d+\.\d+[\w.]*)/,
    missing: 'warn',
    advice: 'Install Go to bundle Go modules; no other package manager needs it.',
  },
  {
    name: 'npm',
    commands: ['npm'],
    args: ['--version'],
    version: /(\d+\.\d+[\d.]*)/,
    missing: 'warn',
    advice: 'Install npm to build from bundles on this machine; bundling does not need it.',
  },
  {
    name: 'python',
    commands: ['python3', 'python'],
    args: ['--version'],
    version: /(\d+\.\d+[\d.]*)/,
    missing: 'warn',
    advice: 'Install Python with pip, or set STOWAGE_PYPI_INDEX, to bundle Python projects.',
  },
  {
    name: 'pip',
    commands: ['pip3', 'pip'],
    args: ['--version'],
    version: /pip (\d+[\d.]*)/,
    missing: 'warn',
    advice: 'Install pip, whose configuration names the package index, or set STOWAGE_PYPI_INDEX.',
  },
  {
    name: 'unshare',
    commands: ['unshare'],
    args: ['--version'],
    version: /(\d+\.\d+[\d.]*)/,
    missing: 'warn',
    advice: 'Install util-linux; as root the embedded PostgreSQL uses it, and tests cut the network with it.',
  },
];

export const nodeCheck: Check = async () => {
  const found = `${process.versions.node} at ${process.execPath}`;
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= OLDEST_NODE) return ok('node', found);
  return fail('node', found, `Run "npm ci": it brings Node ${OLDEST_NODE}.`);
};

export const toolChecks: readonly Check[] = TOOLS.map((tool) => () => checkTool(tool));

async function checkTool(tool: Tool): Promise<CheckResult> {
  for (const command of tool.commands) {
    const path = await find(command);
    if (path === null) continue;
    try {
      const { stdout, stderr } = await run(path, [...tool.args], { timeout: TIMEOUT_MS, cwd: '/' });
      const version = tool.version.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown version';
      return ok(tool.name, `${version} at ${path}`);
    } catch (error) {
      const message = (error as Error).message.split('\n')[0]!;
      return { name: tool.name, state: tool.missing, found: message, advice: tool.advice };
    }
  }
  return { name: tool.name, state: tool.missing, found: 'not found', advice: tool.advice };
}

export async function find(command: string, path = process.env.PATH ?? ''): Promise<string | null> {
  for (const directory of path.split(delimiter).filter(Boolean)) {
    const candidate = join(directory, command);
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  return null;
}

/** Whether an unprivileged user namespace can be made, as the embedded PostgreSQL needs it under root. */
export const namespaceCheck: Check = async () => {
  const possible = await run('unshare', ['--user', '--map-root-user', 'true'], { timeout: TIMEOUT_MS }).then(
    () => true,
    () => false,
  );
  if (possible) return ok('user namespaces', 'available');
  return warn(
    'user namespaces',
    'not available',
    'As root, keep the data directory outside of private homes, or set DATABASE_URL.',
  );
};
