import { ValidationError } from '../../../domain/errors.ts';

/** What matters here of a go.mod file or a go.work file. Everything else is left to the go command. */
export interface GoModFile {
  module: string | null;
  go: string | null;
  toolchain: string | null;
  require: { path: string; version: string }[];
  replace: Replacement[];
  /** go.work only: directories, as written. */
  use: string[];
}

interface Replacement {
  path: string;
  /** null: all versions. */
  version: string | null;
  newPath: string;
  /** null: `newPath` is a directory. */
  newVersion: string | null;
}

/** Throws ValidationError for what no go.mod can contain. */
export function parseGoMod(fileName: string, text: string): GoModFile {
  const file: GoModFile = { module: null, go: null, toolchain: null, require: [], replace: [], use: [] };
  let block: string | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const words = wordsOf(line);
    if (words === null) {
      throw new ValidationError('invalid-lockfile', `${fileName}:${index + 1}: unexpected format`);
    }
    if (words.length === 0) continue;
    if (block === null && words.length === 2 && words[1] === '(') {
      block = words[0]!;
    } else if (block !== null && words.length === 1 && words[0] === ')') {
      block = null;
    } else {
      const [verb, ...args] = block === null ? words : [block, ...words];
      if (!addDirective(file, verb!, args)) {
        throw new ValidationError('invalid-lockfile', `${fileName}:${index + 1}: unexpected format`);
      }
    }
  }
  return file;
}

/** False when a directive that matters has not the form that it must have. */
function addDirective(file: GoModFile, verb: string, args: readonly string[]): boolean {
  const [first] = args;
  switch (verb) {
    case 'module':
    case 'go':
    case 'toolchain':
      if (args.length !== 1) return false;
      file[verb] = first!;
      return true;
    case 'require':
      if (args.length !== 2) return false;
      file.require.push({ path: first!, version: args[1]! });
      return true;
    case 'use':
      if (args.length !== 1) return false;
      file.use.push(first!);
      return true;
    case 'replace': {
      const arrow = args.indexOf('=>');
      const [old, replacement] = [args.slice(0, arrow), args.slice(arrow + 1)];
      if (arrow < 1 || old.length > 2 || replacement.length < 1 || replacement.length > 2) return false;
      file.replace.push({
        path: old[0]!,
        version: old[1] ?? null,
        newPath: replacement[0]!,
        newVersion: replacement[1] ?? null,
      });
      return true;
    }
    default:
      return true;
  }
}

/** Words and quoted strings up to a comment; null when a quote is not closed. */
function wordsOf(line: string): string[] | null {
  const words: string[] = [];
  const pattern = /\s*(?:\/\/.*|"((?:[^"\\]|\\.)*)"|`([^`]*)`|([()])|((?:(?!\/\/)[^\s"`()])+))\s*/gy;
  let at = 0;
  const text = line.trim();
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) return null;
    const [, quoted, raw, bracket, word] = match;
    if (quoted !== undefined) words.push(quoted.replace(/\\(.)/g, '$1'));
    else if (raw !== undefined) words.push(raw);
    else if (bracket !== undefined) words.push(bracket);
    else if (word !== undefined) words.push(word);
    at = pattern.lastIndex;
  }
  return words;
}
