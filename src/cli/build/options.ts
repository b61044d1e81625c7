import { readFile, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { durationMs } from '../../domain/duration.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import { parseTarget } from '../../domain/images/published-image.ts';
import type { BuildInput, NamedValue } from '../client/image-builds.ts';
import { isRequestNumber } from '../client/server-of-command.ts';
import { repositoryName } from '../prefetch/source-argument.ts';

/** The options of `stowage build`, as commander gives them. */
export interface BuildOptions {
  tag?: string;
  bundle?: string;
  git?: string;
  ref?: string;
  hermetic?: boolean;
  /** False with `--no-network`, true with `--network`. */
  network?: boolean;
  file?: string;
  target?: string;
  buildArg?: string[];
  secret?: string[];
  label?: string[];
  platform?: string;
  cache: boolean;
  timeout?: string;
  server?: string;
  token?: string;
  json?: boolean;
}

/** What an image is built from, as it was asked for. */
export type BuildSourceArgument =
  | { kind: 'directory'; path: string; isHermetic: boolean }
  | { kind: 'git'; location: string; ref: string | null; isHermetic: boolean }
  | { kind: 'bundle'; number: number };

/** Throws InvalidInputError for arguments that exclude each other. */
export function sourceOf(directory: string | undefined, options: BuildOptions): BuildSourceArgument {
  const { bundle, git, ref, hermetic = false } = options;
  if ([directory, bundle, git].filter((one) => one !== undefined).length > 1) {
    throw new InvalidInputError('Give one of a directory, --bundle and --git');
  }
  if (ref !== undefined && git === undefined) throw new InvalidInputError('--ref belongs to --git');
  if (hermetic && options.network === true) {
    throw new InvalidInputError('--hermetic and --network exclude each other');
  }
  if (git !== undefined) return { kind: 'git', location: git, ref: ref ?? null, isHermetic: hermetic };
  if (bundle === undefined) return { kind: 'directory', path: directory ?? '.', isHermetic: hermetic };
  if (!isRequestNumber(bundle)) throw new InvalidInputError(`"${bundle}" is not the number of a request`);
  return { kind: 'bundle', number: Number(bundle) };
}

/**
 * What is asked of the server besides the source. Reads secrets. Throws InvalidInputError.
 *
 * @param defaultProject of a name without one
 */
export async function buildInputOf(
  source: BuildSourceArgument,
  options: BuildOptions,
  defaultProject: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<BuildInput> {
  const { file, target, platform, timeout, network } = options;
  const { projectName, repository, name, version } = parseTarget(
    options.tag ?? nameOf(source),
    defaultProject,
  );
  return {
    ...{ project: projectName, repository, image: name, version },
    ...(file !== undefined && { dockerfile: file }),
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
    ...(!options.cache && { useCache: false }),
    ...(network !== undefined && { network }),
    ...(timeout !== undefined && { timeoutSeconds: seconds(timeout) }),
    ...(options.buildArg && { buildArguments: options.buildArg.map((text) => argument(text, environment)) }),
    ...(options.label && { labels: options.label.map(label) }),
    ...(options.secret && {
      secrets: await Promise.all(options.secret.map((text) => secret(text, environment))),
    }),
  };
}

/** The image of a directory or repository is called like it. Throws InvalidInputError for a bundle. */
function nameOf(source: BuildSourceArgument): string {
  if (source.kind === 'bundle') throw new InvalidInputError('Name the image of a bundle with --tag');
  const name = lastPartOf(source)
    .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, LONGEST_NAME);
  if (name !== '') return name;
  throw new InvalidInputError('Name the image with --tag');
}

function lastPartOf(source: Exclude<BuildSourceArgument, { kind: 'bundle' }>): string {
  if (source.kind === 'directory') return basename(resolve(source.path));
  const { location } = source;
  return repositoryName(location.includes(':') ? location : resolve(location));
}

const LONGEST_NAME = 100;

/** Whole seconds, or with a unit: `90`, `90s`, `15m`, `1h`. */
function seconds(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Math.ceil(durationMs(text) / 1000);
}

/** `NAME=VALUE`, or `NAME` with the value of the environment. */
function argument(text: string, environment: NodeJS.ProcessEnv): NamedValue {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? environment[name] : text.slice(equals + 1);
  if (value !== undefined) return { name, value };
  throw new InvalidInputError(`The build argument ${name} has no value, and the environment has none`);
}

function label(text: string): NamedValue {
  const equals = text.indexOf('=');
  return equals < 0
    ? { name: text, value: '' }
    : { name: text.slice(0, equals), value: text.slice(equals + 1) };
}

const LARGEST_SECRET = 64 * 1024;

/** `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`, as other builders have it. */
async function secret(text: string, environment: NodeJS.ProcessEnv): Promise<NamedValue> {
  const fields = new Map(
    text.split(',').map((part): [string, string] => {
      const [key = '', ...value] = part.split('=');
      return [key.trim(), value.join('=')];
    }),
  );
  const unknown = [...fields.keys()].find((key) => !['id', 'src', 'source', 'env', 'type'].includes(key));
  const name = fields.get('id');
  const path = fields.get('src') ?? fields.get('source');
  const variable = fields.get('env');
  if (unknown !== undefined || !name || (path === undefined) === (variable === undefined)) {
    throw new InvalidInputError('A secret is written like id=NAME,src=FILE or id=NAME,env=VARIABLE');
  }
  const value = variable === undefined ? await secretFile(name, path!) : environment[variable];
  if (value === undefined) {
    throw new InvalidInputError(`There is no variable ${variable} for the secret ${name}`);
  }
  return { name, value };
}

async function secretFile(name: string, path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > LARGEST_SECRET) {
    throw new InvalidInputError(`The secret ${name} has ${size} bytes, more than ${LARGEST_SECRET}`);
  }
  const bytes = await readFile(path);
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return text;
  throw new InvalidInputError(`The secret ${name} is not UTF-8`);
}
