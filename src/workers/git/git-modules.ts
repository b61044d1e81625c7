/** A submodule as `.gitmodules` describes it (gitmodules(5)). */
export interface GitModule {
  /** Of the section; by default the path where the submodule was added. */
  name: string;
  /** Without a slash at its end. */
  path: string;
  /** As written: it may be relative to the URL of the repository that it is part of. */
  url: string;
  /** `update = none`: git fetches it for nobody who does not insist. */
  isFetched: boolean;
}

/** Nobody's file is larger. */
export const MAX_GIT_MODULES_BYTES = 1024 * 1024;

/**
 * Reads `.gitmodules`, in the order of its sections. It has the syntax of git's configuration (git-config(1)), but is
 * never given to git, so that nothing else that such a file could say takes effect. Throws GitModulesSyntaxError.
 */
export function parseGitModules(text: string): GitModule[] {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | null = null;
  for (const [number, line] of logicalLines(text)) {
    const header = HEADER.exec(line);
    const statement = (header ? line.slice(header[0].length) : line).trim();
    if (header) section = sectionOf(header, sections);
    else if (statement.startsWith('[')) throw new GitModulesSyntaxError(number);
    if (statement === '' || /^[#;]/.test(statement)) continue;
    const [, key, rest] = STATEMENT.exec(statement) ?? [];
    if (key === undefined) throw new GitModulesSyntaxError(number);
    const value = rest === undefined ? 'true' : configValue(rest.replace(/^\s*=/, ''));
    if (value === null) throw new GitModulesSyntaxError(number);
    section?.set(key.toLowerCase(), value);
  }
  return [...sections].flatMap(([name, values]) => {
    const given = values.get('path');
    const path = given?.slice(0, given.length - countAtEnd(given, '/'));
    const url = values.get('url');
    if (path === undefined || path === '' || url === undefined) return [];
    return [{ name, path, url, isFetched: values.get('update') !== 'none' }];
  });
}

export class GitModulesSyntaxError extends Error {
  override name = 'GitModulesSyntaxError';

  constructor(line: number) {
    super(`.gitmodules has a mistake in line ${line}`);
  }
}

const HEADER = /^\s*\[([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\]/;
const STATEMENT = /^([A-Za-z][A-Za-z0-9-]*)\s*(=.*)?$/s;

/** Of a submodule; null for other sections, whose values are of no interest. */
function sectionOf(
  [, kind = '', quoted]: RegExpExecArray,
  sections: Map<string, Map<string, string>>,
): Map<string, string> | null {
  if (kind.toLowerCase() !== 'submodule' || quoted === undefined) return null;
  const name = quoted.replace(/\\(.)/g, '$1');
  const values = sections.get(name) ?? new Map<string, string>();
  sections.set(name, values);
  return values;
}

/** Lines with their numbers; a backslash at the end of one goes on in the next. */
function* logicalLines(text: string): Generator<[number, string]> {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  for (let index = 0; index < lines.length; index += 1) {
    const number = index + 1;
    let line = lines[index]!;
    while (isContinued(line) && index + 1 < lines.length) {
      index += 1;
      line = line.slice(0, -1) + lines[index]!;
    }
    yield [number, line];
  }
}

function isContinued(line: string): boolean {
  return countAtEnd(line, '\\') % 2 === 1 && !/^\s*[#;]/.test(line);
}

/** Without a regular expression, which would look for an end at each of a megabyte of them. */
function countAtEnd(text: string, char: string): number {
  let count = 0;
  while (text[text.length - 1 - count] === char) count += 1;
  return count;
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', b: '\b', '\\': '\\', '"': '"' };

/** Quotes taken away, escapes replaced, comment and outer blanks dropped; null when it is malformed. */
function configValue(text: string): string | null {
  let value = '';
  /** Up to here blanks are part of the value. */
  let kept = 0;
  let isQuoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index]!;
    if (char === '"') {
      isQuoted = !isQuoted;
      kept = value.length;
    } else if (char === '\\') {
      index += 1;
      const escaped = ESCAPES[text[index] ?? ''];
      if (escaped === undefined) return null;
      value += escaped;
      kept = value.length;
    } else if (!isQuoted && (char === '#' || char === ';')) {
      break;
    } else if (!isQuoted && /\s/.test(char)) {
      if (value !== '') value += char;
    } else {
      value += char;
      kept = value.length;
    }
  }
  return isQuoted ? null : value.slice(0, kept);
}
