import { posix } from 'node:path';
import { isObject, type JsonObject, unexpected } from './json-object.ts';

/** More patterns than anybody writes, alternatives in braces counted one by one; plain paths do not count. */
const MAX_PATTERNS = 256;
const MAX_GLOB = 4096;

/**
 * Whether a folder is one of the `workspaces` (a list, or `{ packages }`) of a package.json or of the root of a lock file.
 * Throws ValidationError when they cannot be read.
 */
export function readWorkspaces(path: string, { workspaces }: JsonObject): (folder: string) => boolean {
  const globs = isObject(workspaces) ? workspaces.packages : workspaces;
  if (globs === undefined) return () => false;
  if (!Array.isArray(globs) || !globs.every((glob) => typeof glob === 'string')) {
    throw unexpected(path, "'workspaces' is not a list");
  }
  const test = workspaceTest(globs);
  if (test === null) throw unexpected(path, "'workspaces' has too many patterns");
  return test;
}

/**
 * Whether a folder is one that the globs of `workspaces` name, as npm reads them: `*`, `?`, classes, braces and `**`, from
 * the package's root on, with or without `/` or `./` before. Globs come from lock files, and libraries that compile them
 * to regular expressions need hours for some: this needs time in proportion to glob times folder. Null when the globs are
 * too many.
 */
export function workspaceTest(globs: readonly string[]): ((folder: string) => boolean) | null {
  const plain = new Set<string>();
  const patterns: string[][] = [];
  for (const glob of globs) {
    if (glob.length > MAX_GLOB) return null;
    for (const one of alternativesOf(glob)) {
      const segments = segmentsOf(one.replace(/^\.?\/+/, ''));
      if (!/[*?[]/.test(one)) plain.add(segments.join('/'));
      else if (patterns.push(segments) > MAX_PATTERNS) return null;
    }
  }
  return (folder) => {
    const path = segmentsOf(folder);
    return plain.has(path.join('/')) || patterns.some((pattern) => matchesSegments(path, pattern));
  };
}

function segmentsOf(path: string): string[] {
  return posix.normalize(path).replace(/\/$/, '').split('/');
}

/** `a{b,c{d,e}}` in all its forms; none when they are too many. Braces without a comma mean themselves. */
function alternativesOf(glob: string): string[] {
  const waiting = [glob];
  const done: string[] = [];
  while (waiting.length > 0) {
    if (waiting.length + done.length > MAX_PATTERNS) return [];
    const next = waiting.pop()!;
    const braces = innermostBraces(next);
    if (braces === null) done.push(next);
    else {
      const [begin, end] = braces;
      const choices = next.slice(begin + 1, end).split(',');
      waiting.push(...choices.map((choice) => next.slice(0, begin) + choice + next.slice(end + 1)));
    }
  }
  return done;
}

/** The first pair with a comma and no other pair in it. */
function innermostBraces(glob: string): [number, number] | null {
  let begin = -1;
  for (let at = 0; at < glob.length; at++) {
    if (glob[at] === '{') begin = at;
    else if (glob[at] === '}' && begin >= 0) {
      if (glob.slice(begin, at).includes(',')) return [begin, at];
      begin = -1;
    }
  }
  return null;
}

/** `**` stands for any number of folders. */
function matchesSegments(path: readonly string[], glob: readonly string[]): boolean {
  // reached[n]: the first n parts of the glob can stand for the folders so far.
  let reached = glob.map(() => false).concat(false);
  reached[0] = true;
  passGlobstars(reached, glob);
  for (const name of path) {
    const next = reached.map(() => false);
    for (const [index, pattern] of glob.entries()) {
      if (!reached[index]) continue;
      if (pattern === '**') next[index] ||= !name.startsWith('.');
      else if (matchesName(name, pattern)) next[index + 1] = true;
    }
    reached = next;
    passGlobstars(reached, glob);
  }
  return reached[glob.length]!;
}

function passGlobstars(reached: boolean[], glob: readonly string[]): void {
  for (const [index, pattern] of glob.entries()) {
    if (pattern === '**' && reached[index]) reached[index + 1] = true;
  }
}

type Token = '*' | ((character: string) => boolean);

function matchesName(name: string, pattern: string): boolean {
  // Hidden folders have to be named.
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const tokens = tokensOf(pattern);
  let at = 0;
  let token = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = tokens[token];
    if (wanted === '*') {
      star = token++;
      starAt = at;
    } else if (wanted?.(name[at]!)) {
      token++;
      at++;
    } else if (star >= 0) {
      // The last star takes one more: an earlier one need not, whatever it could take this one can.
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === '*');
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    const end = character === '[' ? pattern.indexOf(']', at + 2) : -1;
    if (character === '*') {
      if (tokens.at(-1) !== '*') tokens.push('*');
    } else if (character === '?') tokens.push(() => true);
    else if (end >= 0) {
      tokens.push(classOf(pattern.slice(at + 1, end)));
      at = end;
    } else tokens.push((other) => other === character);
  }
  return tokens;
}

/** `a-z_` or `!a-z_`. */
function classOf(text: string): (character: string) => boolean {
  const isNegated = /^[!^]/.test(text);
  const members = isNegated ? text.slice(1) : text;
  const isMember = (character: string): boolean => {
    for (let at = 0; at < members.length; at++) {
      if (members[at + 1] === '-' && at + 2 < members.length) {
        if (members[at]! <= character && character <= members[at + 2]!) return true;
        at += 2;
      } else if (members[at] === character) return true;
    }
    return false;
  };
  return (character) => isMember(character) !== isNegated;
}
