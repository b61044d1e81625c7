import { posix } from 'node:path';
import { ValidationError } from '../../../domain/errors.ts';
import type { Literal } from './python-literal.ts';
import { assignedValue, parseModule } from './python-module.ts';
import { pythonRepr } from './python-text.ts';
import type { StaticMetadata } from './setup-py.ts';

/** Reads a file of the project; null when there is none. The path is relative to the project. */
export type ReadProjectFile = (path: string) => Promise<string | null>;

/**
 * Name and version of `[metadata]`; the version may be `file: F` or `attr: module.attribute` (prefetch.md 5.1).
 * `project`: the project's directory as messages name it.
 */
export async function parseSetupCfg(
  source: string,
  project: string,
  read: ReadProjectFile,
): Promise<StaticMetadata> {
  const sections = parseIni(source);
  const metadata = sections.get('metadata');
  const version = metadata?.get('version')?.trim() || null;
  return {
    name: metadata?.get('name')?.trim() || null,
    version: version === null ? null : await readVersion(version, sections, project, read),
  };
}

type Sections = ReadonlyMap<string, ReadonlyMap<string, string>>;

async function readVersion(
  version: string,
  sections: Sections,
  project: string,
  read: ReadProjectFile,
): Promise<string | null> {
  const file = /^file:(.*)$/s.exec(version);
  if (file) {
    const content = await read(inside(project, file[1]!.trim()));
    return content?.trim() || null;
  }
  const attribute = /^attr:(.*)$/s.exec(version);
  if (attribute) return readAttribute(attribute[1]!.trim(), packageDirectories(sections), project, read);
  return version;
}

/** setuptools looks for `package.module.name` below `package_dir`. */
async function readAttribute(
  attribute: string,
  directories: ReadonlyMap<string, string>,
  project: string,
  read: ReadProjectFile,
): Promise<string | null> {
  const dot = attribute.lastIndexOf('.');
  const module = dot < 0 ? '__init__' : attribute.slice(0, dot);
  if (!/^[\p{L}_][\p{L}\p{Nd}_]*(\.[\p{L}_][\p{L}\p{Nd}_]*)*$/u.test(module)) {
    throw new ValidationError('unexpected-format', `${pythonRepr(module)} is not an accepted module name`);
  }
  const [root = '', ...rest] = module.split('.');
  const own = directories.get(root);
  const base =
    own === undefined ? [directories.get('') ?? '.', root, ...rest].join('/') : [own, ...rest].join('/');
  const path = inside(project, base);
  const source = (await read(`${path}.py`)) ?? (await read(posix.join(path, '__init__.py')));
  return source === null ? null : moduleAttribute(source, attribute.slice(dot + 1));
}

/** The first literal that is assigned at the top of the module. */
function moduleAttribute(source: string, name: string): string | null {
  for (const statement of parseModule(source).statements) {
    const value = assignedValue(statement, name);
    if (value !== undefined && value !== null) return versionText(value);
  }
  return null;
}

/** setuptools joins tuples and lists with dots. */
function versionText(value: Literal): string {
  return Array.isArray(value) ? value.map(versionText).join('.') : String(value);
}

/** `= src`, `pkg = path`, several lines or commas. */
function packageDirectories(sections: Sections): Map<string, string> {
  const directories = new Map<string, string>();
  for (const line of (sections.get('options')?.get('package_dir') ?? '').split(/[\n,]/)) {
    const equals = line.indexOf('=');
    if (equals >= 0) directories.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  return directories;
}

function inside(project: string, path: string): string {
  const normal = posix.normalize(path);
  if (posix.isAbsolute(normal) || normal === '..' || normal.startsWith('../')) {
    const named = posix.isAbsolute(normal) ? normal : posix.join(project, normal);
    throw new ValidationError(
      'path-outside-root',
      `${pythonRepr(named)} is not a subpath of ${pythonRepr(project)}`,
    );
  }
  return normal;
}

/** As Python's configparser reads it: keys in lower case, indented lines continue a value. */
function parseIni(source: string): Sections {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | null = null;
  let key: string | null = null;
  for (const line of source.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    const text = line.trim();
    if (text.startsWith('#') || text.startsWith(';')) continue;
    if (text === '') continue;
    if (/^\s/.test(line) && section && key !== null) {
      section.set(key, `${section.get(key)}\n${text}`);
      continue;
    }
    const header = /^\[([^\]]+)\]/.exec(text);
    if (header) {
      key = null;
      section = sections.get(header[1]!) ?? new Map<string, string>();
      sections.set(header[1]!, section);
      continue;
    }
    const separator = text.search(/[=:]/);
    if (!section || separator < 0) continue;
    key = text.slice(0, separator).trim().toLowerCase();
    section.set(
      key,
      text
        .slice(separator + 1)
        .trim()
        .replaceAll('%%', '%'),
    );
  }
  return sections;
}
