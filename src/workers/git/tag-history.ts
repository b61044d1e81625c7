import { createInterface } from 'node:readline';
import type { Git } from './git-command.ts';
import type { GitTag } from './git-trees.ts';

/** A tag, and the object that its ref names: the commit itself, or the annotation. */
export interface TagObject extends GitTag {
  objectId: string;
}

/**
 * Tags of a repository that name the commit or one of its ancestors, sorted by name. Reads commits and tags only: trees
 * and files may be absent.
 */
export async function readReachableTags(
  git: Git,
  gitDirectory: string,
  commit: string,
): Promise<TagObject[]> {
  const tags = await allTags(git, gitDirectory);
  const wanted = new Set(tags.map((tag) => tag.commit));
  const reachable = new Set<string>();
  const history = git.stream(['rev-list', '--end-of-options', commit], { gitDirectory });
  history.stdin.end();
  try {
    for await (const id of createInterface({ input: history.stdout })) {
      if (wanted.has(id)) reachable.add(id);
    }
    await history.done;
  } finally {
    history.stop();
  }
  return tags.filter((tag) => reachable.has(tag.commit)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Tags of commits; those of trees and files, and tags of tags, are of no use here. */
async function allTags(git: Git, gitDirectory: string): Promise<TagObject[]> {
  const format = '%(objecttype)%00%(objectname)%00%(type)%00%(object)%00%(refname:strip=2)';
  const output = await git.text(['for-each-ref', `--format=${format}`, 'refs/tags'], { gitDirectory });
  return output.split('\n').flatMap((line) => {
    const [type, id = '', peeledType, peeled = '', name = ''] = line.split('\0');
    if (type === 'commit') return [{ name, commit: id, objectId: id }];
    return type === 'tag' && peeledType === 'commit' ? [{ name, commit: peeled, objectId: id }] : [];
  });
}
