import { ValidationError } from '../../../domain/errors.ts';
import { isLocalPath } from './local-path.ts';
import { pythonListRepr, pythonRepr } from './python-text.ts';
import { parseRequirement, type Requirement, type Rules } from './requirement.ts';
import { decodeRequirements } from './requirements-text.ts';

/** A requirements file: its lines, and what they mean. Nothing is judged beyond the grammar (prefetch.md 5.1). */
export interface RequirementsFile {
  /** Relative to the source root. */
  path: string;
  options: FileOption[];
  requirements: RequirementLine[];
  /** Own interface only: requirements that are paths of the source itself. */
  localPaths: string[];
  /** The physical lines without their ends, for rewriting. */
  lines: string[];
}

/** An option of the whole file. */
export interface FileOption {
  /** As written, short or long. */
  name: string;
  /** Null for flags. */
  value: string | null;
}

export interface RequirementLine {
  requirement: Requirement;
  editable: boolean;
  /** Physical lines that it takes, the end not included. */
  start: number;
  end: number;
}

interface OptionRule {
  takesValue: boolean;
  /** Belongs to the requirement of its line, not to the file. */
  ofRequirement?: true;
}

const FLAG: OptionRule = { takesValue: false };
const VALUE: OptionRule = { takesValue: true };
const OPTIONS: ReadonlyMap<string, OptionRule> = new Map([
  ['--constraint', VALUE],
  ['-c', VALUE],
  ['--editable', { takesValue: false, ofRequirement: true }],
  ['-e', { takesValue: false, ofRequirement: true }],
  ['--extra-index-url', VALUE],
  ['--find-links', VALUE],
  ['-f', VALUE],
  ['--hash', { takesValue: true, ofRequirement: true }],
  ['--index-url', VALUE],
  ['-i', VALUE],
  ['--no-binary', VALUE],
  ['--no-index', FLAG],
  ['--only-binary', VALUE],
  ['--pre', FLAG],
  ['--prefer-binary', FLAG],
  ['--require-hashes', FLAG],
  ['--requirement', VALUE],
  ['-r', VALUE],
  ['--trusted-host', VALUE],
  ['--use-feature', VALUE],
]);

/** So much of a line is named in a message. */
const MAX_NAMED = 1000;
/** No honest line is longer. */
const MAX_LINE = 1024 * 1024;

/** Throws ValidationError with the texts of prefetch.md 5.1. */
export function parseRequirementsFile(path: string, content: Buffer, rules: Rules): RequirementsFile {
  const lines = decode(path, content).split(/\r\n|\r|\n/);
  const file: RequirementsFile = { path, options: [], requirements: [], localPaths: [], lines };
  for (const logical of joinLines(lines)) {
    if (logical.text.length > MAX_LINE) throw unreadable(path, `line ${logical.start + 1} is too long`);
    const text = withoutComment(logical.text).trim();
    if (text !== '') addLine(file, text, logical, rules);
  }
  return file;
}

/** Whether an option, short or long, is the given long one. */
export function isOption(option: FileOption, long: string): boolean {
  return (LONG_FORMS.get(option.name) ?? option.name) === long;
}

const LONG_FORMS: ReadonlyMap<string, string> = new Map([
  ['-c', '--constraint'],
  ['-f', '--find-links'],
  ['-i', '--index-url'],
  ['-r', '--requirement'],
]);

interface LogicalLine {
  text: string;
  start: number;
  end: number;
}

/** A backslash at the end joins the next line. A line that is a comment ends what was joined before it, as in pip. */
function* joinLines(lines: readonly string[]): Generator<LogicalLine> {
  let joined: string[] = [];
  let start = 0;
  for (const [index, line] of lines.entries()) {
    if (joined.length === 0) start = index;
    const isComment = line.trimStart().startsWith('#');
    if (line.endsWith('\\') && !isComment) {
      joined.push(withoutBackslashes(line));
      continue;
    }
    joined.push(isComment ? ` ${line}` : line);
    yield { text: joined.join(''), start, end: index + 1 };
    joined = [];
  }
  if (joined.length > 0) yield { text: joined.join(''), start, end: lines.length };
}

function withoutBackslashes(line: string): string {
  let end = line.length;
  while (line[end - 1] === '\\') end--;
  return line.slice(0, end);
}

/** A comment starts at the line's start or after a blank. */
function withoutComment(line: string): string {
  for (let at = line.indexOf('#'); at >= 0; at = line.indexOf('#', at + 1)) {
    if (at === 0 || /\s/.test(line[at - 1]!)) return line.slice(0, at);
  }
  return line;
}

function addLine(file: RequirementsFile, text: string, { start, end }: LogicalLine, rules: Rules): void {
  const { requirementText: written, options } = splitLine(text, rules);
  const ofRequirement = options.filter(({ name }) => OPTIONS.get(name)?.ofRequirement);
  file.options.push(...options.filter(({ name }) => !OPTIONS.get(name)?.ofRequirement));
  if (written === null) {
    if (ofRequirement.length === 0) return;
    const words = ofRequirement.flatMap(({ name, value }) => (value === null ? [name] : [name, value]));
    throw new ValidationError(
      'unexpected-format',
      `Requirements file option(s) ${pythonListRepr(words)} can only be applied to a requirement`,
    );
  }
  const hashes = ofRequirement.flatMap(({ name, value }) =>
    name === '--hash' && value !== null ? [value] : [],
  );
  const editable = ofRequirement.some(({ name }) => name === '-e' || name === '--editable');
  // For pip, what is editable is the value of an option, which may be quoted.
  const requirementText = editable && rules === 'native' ? written.replace(/^(["'])(.*)\1$/s, '$2') : written;
  if (rules === 'native' && isLocalPath(requirementText)) {
    file.localPaths.push(requirementText);
    return;
  }
  file.requirements.push({
    requirement: parseRequirement(requirementText, hashes, rules),
    editable,
    start,
    end,
  });
}

interface SplitLine {
  requirementText: string | null;
  options: FileOption[];
}

/** The words of a line that are no options are the requirement; they must stand together. */
function splitLine(line: string, rules: Rules): SplitLine {
  const words = new Words(line);
  const options: FileOption[] = [];
  let requirementText: string | null = null;
  while (!words.atEnd()) {
    if (words.nextIsOption()) {
      options.push(
        readOption(words, rules, (text) => (requirementText = joinRequirement(line, requirementText, text))),
      );
    } else {
      requirementText = joinRequirement(line, requirementText, words.untilOption());
    }
  }
  return { requirementText, options };
}

function joinRequirement(line: string, known: string | null, text: string): string {
  if (known === null) return text;
  throw new ValidationError(
    'unexpected-format',
    `Multiple requirements per line are not supported, ${pythonRepr(line.slice(0, MAX_NAMED))}`,
  );
}

function readOption(words: Words, rules: Rules, setRequirement: (text: string) => void): FileOption {
  const word = words.take();
  const { name, attached } = splitOption(word, rules);
  const rule = OPTIONS.get(name);
  if (!rule) {
    throw new ValidationError('unexpected-format', `Unknown requirements file option ${pythonRepr(name)}`);
  }
  if (rule.takesValue) {
    const value = attached ?? (words.atEnd() ? '' : words.take());
    if (value === '') {
      throw new ValidationError(
        'unexpected-format',
        `Requirements file option ${pythonRepr(name)} requires a value`,
      );
    }
    return { name, value };
  }
  if (attached === null) return { name, value: null };
  // pip's own `--editable=URL`.
  if (rules === 'native' && rule.ofRequirement) setRequirement(attached);
  else {
    throw new ValidationError(
      'unexpected-format',
      `Unexpected value for requirements file option ${pythonRepr(word)}`,
    );
  }
  return { name, value: null };
}

/** `--name=value`; in the own interface pip's `-rFILE` too. */
function splitOption(word: string, rules: Rules): { name: string; attached: string | null } {
  const equals = word.indexOf('=');
  if (word.startsWith('--')) {
    return equals < 0
      ? { name: word, attached: null }
      : { name: word.slice(0, equals), attached: word.slice(equals + 1) };
  }
  const short = word.slice(0, 2);
  if (rules === 'native' && word.length > 2 && OPTIONS.has(short))
    return { name: short, attached: word.slice(2) };
  return { name: word, attached: null };
}

/** Walks over the words of a line; quotes hold the words of options together, as in a shell. */
class Words {
  readonly #line: string;
  #at = 0;

  constructor(line: string) {
    this.#line = line;
    this.#skipBlanks();
  }

  atEnd(): boolean {
    return this.#at >= this.#line.length;
  }

  nextIsOption(): boolean {
    return this.#line[this.#at] === '-';
  }

  /** One word without its quotes. */
  take(): string {
    let word = '';
    let quote: string | null = null;
    while (!this.atEnd()) {
      const character = this.#line[this.#at]!;
      if (quote === null && /\s/.test(character)) break;
      this.#at++;
      if (character === quote) quote = null;
      else if (quote === null && (character === '"' || character === "'")) quote = character;
      else word += character;
    }
    this.#skipBlanks();
    return word;
  }

  /** Everything before the next word that starts with a dash, as it stands. */
  untilOption(): string {
    const option = /\s-/g;
    option.lastIndex = this.#at;
    const end = option.exec(this.#line)?.index ?? this.#line.length;
    const text = this.#line.slice(this.#at, end).trim();
    this.#at = end;
    this.#skipBlanks();
    return text;
  }

  #skipBlanks(): void {
    while (!this.atEnd() && /\s/.test(this.#line[this.#at]!)) this.#at++;
  }
}

function decode(path: string, content: Buffer): string {
  try {
    return decodeRequirements(content);
  } catch (error) {
    throw unreadable(path, (error as Error).message);
  }
}

function unreadable(path: string, problem: string): ValidationError {
  return new ValidationError(
    'unexpected-format',
    `Cannot read the requirements file app/${path}: ${problem}`,
  );
}
