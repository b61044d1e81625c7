import { statSync } from 'node:fs';
import { Git } from './git-command.ts';

/** What Stowage itself must know of the file named by STOWAGE_GIT_CONFIG; git reads the rest. */
export interface OperatorGitConfig {
  /** `url.<base>.insteadOf` rules. */
  rewrites: { prefix: string; base: string }[];
  /** The operator's own ssh command, which then is not replaced. */
  sshCommand: string | null;
}

const known = new Map<string, { changed: number; config: Promise<OperatorGitConfig> }>();

export async function readOperatorGitConfig(git: Git): Promise<OperatorGitConfig> {
  const file = git.settings.gitConfig;
  if (file === null) return { rewrites: [], sshCommand: null };
  const changed = statSync(file).mtimeMs;
  const cached = known.get(file);
  if (cached?.changed === changed) return cached.config;
  // Not bound to the step's signal: others share the result.
  const config = readConfig(new Git(git.settings, new AbortController().signal), file);
  known.set(file, { changed, config });
  config.catch(() => known.delete(file));
  return config;
}

/** Where git will go instead, by the longest rule that applies; null when none does. */
export function rewrittenUrl(
  url: string,
  { rewrites }: OperatorGitConfig,
): { url: string; base: string } | null {
  let best: OperatorGitConfig['rewrites'][number] | null = null;
  for (const rule of rewrites) {
    if (url.startsWith(rule.prefix) && rule.prefix.length > (best?.prefix.length ?? -1)) best = rule;
  }
  return best && { url: best.base + url.slice(best.prefix.length), base: best.base };
}

async function readConfig(git: Git, file: string): Promise<OperatorGitConfig> {
  const { stdout } = await git.run(['config', '--file', file, '--includes', '--null', '--list']);
  const config: OperatorGitConfig = { rewrites: [], sshCommand: null };
  for (const row of stdout.toString().split('\0')) {
    const cut = row.indexOf('\n');
    const [key, value] = cut === -1 ? [row, ''] : [row.slice(0, cut), row.slice(cut + 1)];
    const base = /^url\.(.*)\.insteadof$/s.exec(key)?.[1];
    if (base !== undefined) config.rewrites.push({ prefix: value, base });
    if (key === 'core.sshcommand') config.sshCommand = value;
  }
  return config;
}
