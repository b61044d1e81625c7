import { type Git, GitFailure } from './git-command.ts';
import { resolveSubmoduleUrl } from './repository-url.ts';

/** URLs of a commit's submodules by path, from `.gitmodules`; relative ones are resolved against the parent's URL. */
export async function submoduleUrls(
  git: Git,
  gitDirectory: string,
  commit: string,
  parentUrl: string,
): Promise<Map<string, string>> {
  const args = ['config', '--no-includes', `--blob=${commit}:.gitmodules`, '--null', '--list'];
  const output = await git.text(args, { gitDirectory }).catch((error: unknown) => {
    if (error instanceof GitFailure) return '';
    throw error;
  });
  const paths = new Map<string, string>();
  const urls = new Map<string, string>();
  for (const row of output.split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(row) ?? [];
    if (name !== undefined && value !== undefined) (key === 'path' ? paths : urls).set(name, value);
  }
  return new Map(
    [...paths].flatMap(([name, path]) => {
      const url = urls.get(name);
      return url === undefined
        ? []
        : [[path.replace(/\/+$/, ''), resolveSubmoduleUrl(parentUrl, url)] as const];
    }),
  );
}
