import { InvalidChecksum, ValidationError } from '../../../domain/errors.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { strongestDigests } from '../strongest-digests.ts';

/** What a Gemfile.lock says (prefetch.md 7.1). */
export interface GemfileLock {
  /** Relative to the source root. */
  path: string;
  /** GEM, GIT, PATH and whatever else holds specs, in file order. */
  sources: LockedSource[];
  platforms: string[];
  /** Names of DEPENDENCIES: what the Gemfile itself asks for. */
  dependencies: string[];
  /** By {@link checksumKey}; of one gem the digests of its strongest algorithm. */
  checksums: ReadonlyMap<string, ExpectedDigest[]>;
}

export interface LockedSource {
  /** The heading, e.g. `GEM`. */
  kind: string;
  /** More than one only where Gemfiles of old name several sources. */
  remotes: string[];
  /** `revision`, `branch`, `glob` and the like. */
  options: ReadonlyMap<string, string>;
  specs: LockedSpec[];
}

export interface LockedSpec {
  name: string;
  version: string;
  /** Null for gems of all platforms. */
  platform: string | null;
  /** Names of what it needs. */
  dependencies: string[];
}

const SOURCES = new Set(['GEM', 'GIT', 'PATH', 'PLUGIN SOURCE']);
const CONFLICT_MARKER = /^(?:<{7}|={7}|>{7}|\|{7})/;

/** Reads a lock file of Bundler 1 to 4. Headings that are not known and hold no specs are passed over. */
export function parseGemfileLock(path: string, content: Buffer): GemfileLock {
  const reader = new SectionReader(path);
  for (const [index, line] of content.toString('utf8').split('\n').entries()) {
    reader.read(line.endsWith('\r') ? line.slice(0, -1) : line, index + 1);
  }
  return reader.lock;
}

/** How CHECKSUMS names a gem. */
export function checksumKey(name: string, version: string): string {
  return `${name} (${version})`;
}

class SectionReader {
  readonly #path: string;
  readonly #sources: (LockedSource & { options: Map<string, string> })[] = [];
  readonly #platforms: string[] = [];
  readonly #dependencies: string[] = [];
  readonly #checksums = new Map<string, ExpectedDigest[]>();
  #heading = '';
  #inSpecs = false;

  constructor(path: string) {
    this.#path = path;
  }

  get lock(): GemfileLock {
    return {
      path: this.#path,
      sources: this.#sources.filter(({ kind, specs }) => SOURCES.has(kind) || specs.length > 0),
      platforms: this.#platforms,
      dependencies: this.#dependencies,
      checksums: this.#checksums,
    };
  }

  read(line: string, number: number): void {
    if (CONFLICT_MARKER.test(line)) throw this.#invalid(number, 'it contains merge conflicts');
    if (line.trim() === '') return;
    if (line.startsWith(' ')) this.#readLine(line, number);
    else this.#begin(line);
  }

  #readLine(line: string, number: number): void {
    switch (this.#heading) {
      case 'PLATFORMS':
        this.#platforms.push(line.trim());
        break;
      case 'DEPENDENCIES':
        if (indentOf(line) === 2) this.#dependencies.push(this.#item(line, number).name);
        break;
      case 'CHECKSUMS':
        this.#readChecksum(line, number);
        break;
      case 'BUNDLED WITH':
      case 'RUBY VERSION':
        break;
      default:
        this.#readSource(line, number);
    }
  }

  #begin(heading: string): void {
    this.#heading = heading;
    this.#inSpecs = false;
    this.#sources.push({ kind: heading, remotes: [], options: new Map(), specs: [] });
  }

  #readSource(line: string, number: number): void {
    const source = this.#sources.at(-1);
    if (!source) throw this.#invalid(number, 'it does not begin with a heading');
    const indent = indentOf(line);
    if (line === '  specs:') {
      this.#inSpecs = true;
    } else if (indent === 2 && !this.#inSpecs) {
      const [, key, value] = /^ {2}([a-z_]+): (.*)$/i.exec(line) ?? [];
      if (key === undefined || value === undefined) return;
      if (key === 'remote') source.remotes.push(value);
      else source.options.set(key, value);
    } else if (indent === 4 && this.#inSpecs) {
      source.specs.push(this.#spec(line, number));
    } else if (indent === 6 && this.#inSpecs) {
      const spec = source.specs.at(-1);
      if (!spec) throw this.#invalid(number, 'a dependency belongs to no gem');
      spec.dependencies.push(this.#item(line, number).name);
    } else {
      throw this.#invalid(number, 'it is indented as no lock file is');
    }
  }

  #spec(line: string, number: number): LockedSpec {
    const { name, inBrackets } = this.#item(line, number);
    const [version = '', platform = null] = splitOnce(inBrackets ?? '', '-');
    if (!isVersion(version)) throw this.#invalid(number, `${name} has no valid version`);
    if (platform !== null && !/^[A-Za-z0-9._-]{1,100}$/.test(platform)) {
      throw this.#invalid(number, `${name} has no valid platform`);
    }
    return { name, version, platform, dependencies: [] };
  }

  /** `  name (version) sha256=…,sha512=…`; nothing after the bracket where Bundler knows no checksum. */
  #readChecksum(line: string, number: number): void {
    const end = line.indexOf(')');
    const { name, inBrackets } = this.#item(end < 0 ? line : line.slice(0, end + 1), number);
    const list = end < 0 ? '' : line.slice(end + 1).trim();
    if (inBrackets === null || list === '') return;
    this.#checksums.set(checksumKey(name, inBrackets), digestsOf(list, `${name} (${inBrackets})`));
  }

  /** `name`, `name (…)` or `name (…)!` */
  #item(line: string, number: number): { name: string; inBrackets: string | null } {
    const text = line.trim().replace(/!$/, '');
    const [name = '', rest = null] = splitOnce(text, ' ');
    if (!isGemName(name)) throw this.#invalid(number, 'it names no valid gem');
    if (rest === null) return { name, inBrackets: null };
    if (!rest.startsWith('(') || !rest.endsWith(')')) {
      throw this.#invalid(number, `what follows ${name} is no version`);
    }
    return { name, inBrackets: rest.slice(1, -1) };
  }

  #invalid(line: number, problem: string): ValidationError {
    return new ValidationError(
      'invalid-lockfile',
      `The file ${this.#path} cannot be used: line ${line}: ${problem}`,
    );
  }
}

/** As the registry takes them. Safe as a part of a path. */
function isGemName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name) && name.length <= 150;
}

function isVersion(version: string): boolean {
  return /^[0-9]+(\.[0-9A-Za-z]+)*$/.test(version) && version.length <= 80;
}

/** A gem whose checksum nothing can match is refused, not taken unchecked. */
function digestsOf(list: string, described: string): ExpectedDigest[] {
  const given = list.split(',').map((one) => {
    const [algorithm, hex = ''] = splitOnce(one.trim(), '=');
    return { algorithm, hex };
  });
  const digests = strongestDigests(given);
  if (digests.length > 0) return digests;
  throw new InvalidChecksum(
    'invalid-checksum',
    `The checksum of the gem ${described} is not valid: ${JSON.stringify(list.slice(0, 200))}`,
  );
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function splitOnce(text: string, separator: string): [string] | [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
