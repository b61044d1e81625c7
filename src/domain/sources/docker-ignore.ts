import { posix } from 'node:path';
import { InvalidInputError } from '../errors.ts';

/** Says which paths of a build context are left out. */
export type IgnoreRule = (path: string) => boolean;

/** Of the text with the patterns. */
export const MAX_IGNORE_BYTES = 1024 * 1024;
const MOST_PATTERNS = 10_000;

/** Where the patterns for a Dockerfile are; the first file that there is counts. */
export function ignoreFiles(dockerfile: string): string[] {
  return [`${dockerfile}.dockerignore`, '.dockerignore'];
}

/**
 * The rules of a `.dockerignore` (https://docs.docker.com/build/concepts/context/#dockerignore-files): one pattern a line,
 * rooted in the context; `*`, `?`, classes and `**`; what is below a match is one too; after `!` an exception; the last
 * match decides. Takes linear time for every pattern: patterns are as hostile as all else in the archive.
 */
export function ignoreRule(text: string): IgnoreRule {
  const patterns = patternsOf(text);
  return (path) => {
    let isIgnored = false;
    for (const { matches, isException } of patterns) {
      // Only what would change the answer.
      if (isIgnored === isException && matches(path)) isIgnored = !isException;
    }
    return isIgnored;
  };
}

interface Pattern {
  isException: boolean;
  /** The path itself, or a directory that it is in. */
  matches(path: string): boolean;
}

function patternsOf(text: string): Pattern[] {
  const lines = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.length > MOST_PATTERNS) {
    throw new InvalidInputError(`The .dockerignore has more than ${MOST_PATTERNS} patterns`);
  }
  return lines.map(patternOf).filter((pattern) => pattern !== null);
}

function patternOf(line: string): Pattern | null {
  const isException = line.startsWith('!');
  const written = isException ? line.slice(1).trim() : line;
  if (written === '')
    throw new InvalidInputError('The .dockerignore has an exception without a pattern: "!"');
  const pattern = posix.normalize(written).replace(/^\/+/, '').replace(/\/+$/, '');
  // The root itself cannot be left out.
  if (pattern === '' || pattern === '.') return null;
  const isLiteral = !/[*?[\\]/.test(pattern);
  return { isException, matches: isLiteral ? literal(pattern) : glob(pattern, line) };
}

function literal(pattern: string): Pattern['matches'] {
  const below = `${pattern}/`;
  return (path) => path === pattern || path.startsWith(below);
}

// --- globs ----------------------------------------------------------------------------------------------------------

/** One step of a pattern: a character that fits, any number of characters in a name, or of whole directories. */
type Step =
  | { kind: 'one'; fits: (character: string) => boolean }
  | { kind: 'names' }
  | { kind: 'directories' }
  | { kind: 'all' };

/** Follows all ways through the pattern side by side. */
function glob(pattern: string, line: string): Pattern['matches'] {
  const steps = stepsOf(pattern, line);
  const end = steps.length;
  return (path) => {
    let at = closure(steps, new Set([0]), true);
    let isStart = true;
    for (const character of path) {
      // A directory of the path matches, so all in it does.
      if (character === '/' && !isStart && at.has(end)) return true;
      isStart = false;
      const next = new Set<number>();
      for (const index of at) advance(steps, index, character, next);
      if (next.size === 0) return false;
      at = closure(steps, next, character === '/');
    }
    return at.has(end);
  };
}

function advance(steps: readonly Step[], index: number, character: string, next: Set<number>): void {
  const step = steps[index];
  if (!step) return;
  if (step.kind === 'one') {
    if (step.fits(character)) next.add(index + 1);
  } else if (step.kind === 'names') {
    if (character !== '/') next.add(index);
  } else next.add(index);
}

/** What is reached without a character; whole directories end where a name begins. */
function closure(steps: readonly Step[], at: Set<number>, isNameStart: boolean): Set<number> {
  for (const index of at) {
    const kind = steps[index]?.kind;
    if (kind === 'names' || kind === 'all' || (kind === 'directories' && isNameStart)) at.add(index + 1);
  }
  return at;
}

function stepsOf(pattern: string, line: string): Step[] {
  const steps: Step[] = [];
  const characters = [...pattern];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index]!;
    if (character === '*' && characters[index + 1] === '*') {
      index += 1;
      const isBeforeSlash = characters[index + 1] === '/';
      if (isBeforeSlash) index += 1;
      steps.push({ kind: index + 1 >= characters.length ? 'all' : 'directories' });
    } else if (character === '*') steps.push({ kind: 'names' });
    else if (character === '?') steps.push({ kind: 'one', fits: (one) => one !== '/' });
    else if (character === '[') {
      const close = characters.indexOf(']', index + (characters[index + 1] === '^' ? 3 : 2));
      if (close === -1) throw new InvalidInputError(`The .dockerignore has the broken pattern "${line}"`);
      steps.push({ kind: 'one', fits: classOf(characters.slice(index + 1, close)) });
      index = close;
    } else {
      if (character === '\\') index += 1;
      const plain = characters[index];
      if (plain === undefined)
        throw new InvalidInputError(`The .dockerignore has the broken pattern "${line}"`);
      steps.push({ kind: 'one', fits: (one) => one === plain });
    }
  }
  return steps;
}

function classOf(characters: readonly string[]): (character: string) => boolean {
  const isNegated = characters[0] === '^';
  const ranges: [from: string, to: string][] = [];
  for (let index = isNegated ? 1 : 0; index < characters.length; index += 1) {
    if (characters[index] === '\\') index += 1;
    const from = characters[index] ?? '';
    const isRange = characters[index + 1] === '-' && characters[index + 2] !== undefined;
    ranges.push([from, isRange ? characters[index + 2]! : from]);
    if (isRange) index += 2;
  }
  return (one) => one !== '/' && ranges.some(([from, to]) => one >= from && one <= to) !== isNegated;
}
