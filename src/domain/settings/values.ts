import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { readSigningKey } from '../bundles/signing.ts';
import { durationMs } from '../duration.ts';
import { InvalidInputError } from '../errors.ts';
import { PACKAGE_MANAGERS, type PackageManager } from '../packages/package.ts';
import { TASKS, type TaskName } from '../queue/tasks.ts';
import { parseSealKeys } from '../secrets/seal.ts';
import { DEFAULT_LIMITS, type FileDepsAllowlist, type Limits, type Settings } from './settings.ts';

/** Reads the text of a variable. Throws InvalidInputError that names the variable and says what may stand there. */
export type Parser<T> = (text: string, name: string) => T;

export const text: Parser<string> = (value) => value;
export const words: Parser<string[]> = (value) => value.split(/[\s,]+/).filter(Boolean);

export const version: Parser<string> = (value, name) => {
  if (/^\d+(?:\.\d+){2}$/.test(value)) return value;
  throw new InvalidInputError(`${name} must be a version like 1.26.10, not "${value}"`);
};

/** Names as words, or as a JSON array: subjects of certificates have spaces and commas. */
export const names: Parser<string[]> = (value, name) => {
  if (!value.trimStart().startsWith('[')) return words(value, name);
  const refusal = new InvalidInputError(`${name} must be words or a JSON array of strings, not "${value}"`);
  try {
    const list: unknown = JSON.parse(value);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  } catch {
    throw refusal;
  }
  throw refusal;
};

export const addresses: Parser<string[]> = (value, name) => {
  const list = words(value, name);
  for (const entry of list) {
    const [address = '', bits, ...others] = entry.split('/');
    const most = isIP(address) === 6 ? 128 : 32;
    const isAddress =
      isIP(address) !== 0 &&
      others.length === 0 &&
      (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= most));
    if (isAddress || ADDRESS_RANGES.includes(entry)) continue;
    throw new InvalidInputError(
      `${name}: "${entry}" is neither an address, a range like 10.0.0.0/8, nor one of ${ADDRESS_RANGES.join(', ')}`,
    );
  }
  return list;
};

const ADDRESS_RANGES = ['loopback', 'linklocal', 'uniquelocal'];

export const headerName: Parser<string> = (value, name) => {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(value)) return value;
  throw new InvalidInputError(`${name}: "${value}" is not the name of a header`);
};

export const flag: Parser<boolean> = (value, name) => {
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off|)$/i.test(value)) return false;
  throw new InvalidInputError(`${name} must be true or false, not "${value}"`);
};

export const count =
  (minimum: number, maximum = Number.MAX_SAFE_INTEGER): Parser<number> =>
  (value, name) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < minimum || number > maximum) {
      throw new InvalidInputError(
        `${name} must be a whole number from ${minimum} to ${maximum}, not "${value}"`,
      );
    }
    return number;
  };

export const managers: Parser<PackageManager[]> = (value, name) => {
  if (value === 'all') return [...PACKAGE_MANAGERS];
  return words(value, name).map((word) => {
    const manager = PACKAGE_MANAGERS.find((known) => known === word);
    if (!manager) {
      throw new InvalidInputError(`${name}: "${word}" is not one of ${PACKAGE_MANAGERS.join(', ')}`);
    }
    return manager;
  });
};

const taskNamed = (word: string, name: string): TaskName => {
  const task = TASKS.find((known) => known === word);
  if (!task) throw new InvalidInputError(`${name}: "${word}" is not a task; tasks are ${TASKS.join(', ')}`);
  return task;
};

/** Some of them, or all but those with a `-` in front: tasks that a later release brings are then taken, too. */
export const tasks: Parser<TaskName[]> = (value, name) => {
  const all = words(value, name);
  const named = new Set(all.map((word) => taskNamed(word.replace(/^-/, ''), name)));
  const excluding = all.filter((word) => word.startsWith('-'));
  if (excluding.length > 0 && excluding.length < all.length) {
    throw new InvalidInputError(
      `${name} either names tasks or, with a - before each, those that are left out`,
    );
  }
  const list = excluding.length > 0 ? TASKS.filter((task) => !named.has(task)) : [...named];
  if (list.length > 0) return list;
  throw new InvalidInputError(`${name} names no task; tasks are ${TASKS.join(', ')}`);
};

export const taskConcurrency: Parser<Settings['taskConcurrency']> = (value, name) =>
  Object.fromEntries(
    words(value, name).map((pair) => {
      const [word = '', number = ''] = pair.split('=');
      return [taskNamed(word, name), count(1, 1000)(number, `${name} ${word}`)];
    }),
  );

export const managerPairs: Parser<[PackageManager, PackageManager][]> = (value, name) =>
  value === 'none'
    ? []
    : words(value, name).map((pair) => {
        const [first, second, ...others] = managers(pair.replaceAll('/', ' '), name);
        if (pair === 'all' || !first || !second || others.length > 0 || first === second) {
          throw new InvalidInputError(`${name}: "${pair}" is not a pair like npm/yarn`);
        }
        return [first, second];
      });

export const baseUrl: Parser<string> = (value, name) => {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
    throw new InvalidInputError(`${name} must be an http or https URL, not "${value}"`);
  }
  return value.replace(/\/+$/, '');
};

export const rewrites: Parser<Settings['urlRewrites']> = (value, name) =>
  value
    .split(/\s+/)
    .filter(Boolean)
    .map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new InvalidInputError(`${name}: "${pair}" is not of the form prefix=replacement`);
      return { prefix: pair.slice(0, at), replacement: pair.slice(at + 1) };
    });

export const blobStore: Parser<string> = (value, name) => {
  if (!/^(file:.+|s3:\/\/[a-z0-9][a-z0-9.-]{2,62}(\/.*)?)$/.test(value)) {
    throw new InvalidInputError(`${name} must be file:DIRECTORY or s3://BUCKET/PREFIX, not "${value}"`);
  }
  return value;
};

export const duration: Parser<number> = (value, name) => {
  try {
    return durationMs(value) / 1000;
  } catch {
    throw new InvalidInputError(`${name} must be a duration like 12h or 30d, not "${value}"`);
  }
};

export const durationOrNever: Parser<number | null> = (value, name) =>
  value === 'never' ? null : duration(value, name);

export const DAY = 24 * 3600;

/** Entries within 30 days are kept by the database itself. */
export const auditRetention: Parser<number | null> = (value, name) => {
  const seconds = durationOrNever(value, name);
  if (seconds === null || seconds >= 30 * DAY) return seconds;
  throw new InvalidInputError(`${name} must be 30d at least, or never, not "${value}"`);
};

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export const logLevel: Parser<string> = (value, name) => {
  if (LOG_LEVELS.includes(value)) return value;
  throw new InvalidInputError(`${name} must be one of ${LOG_LEVELS.join(', ')}, not "${value}"`);
};

export const oneOf =
  <Word extends string>(allowed: readonly Word[]): Parser<Word> =>
  (value, name) => {
    const known = allowed.find((one) => one === value);
    if (known !== undefined) return known;
    throw new InvalidInputError(`${name} must be one of ${allowed.join(', ')}, not "${value}"`);
  };

export const imageNamePart: Parser<string> = (value, name) => {
  if (/^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/.test(value)) return value;
  throw new InvalidInputError(`${name} must be lower-case as in the name of an image, not "${value}"`);
};

export const readableFile: Parser<string> = (value, name) => {
  if (!existsSync(value)) throw new InvalidInputError(`${name}: there is no file ${value}`);
  return resolve(value);
};

/** Read again by who encrypts with it; here so that nothing starts with a wrong one. */
export const secretsKeyFile: Parser<string> = (value, name) => {
  const path = readableFile(value, name);
  parseSealKeys(readFileSync(path, 'utf8'), `${name} (${path})`);
  return path;
};

/** Read again by who signs with it; here so that nothing starts with a wrong one. */
export const signingKeyFile: Parser<string> = (value, name) => {
  const path = readableFile(value, name);
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw new InvalidInputError(`${name}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  readSigningKey(pem, `${name} (${path})`);
  return path;
};

export const allowlist: Parser<FileDepsAllowlist> = (value, name) => {
  const form = `${name} must be a JSON object of the form {"package": ["dependency"]}`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new InvalidInputError(form);
  }
  const isTextList = (list: unknown) => Array.isArray(list) && list.every((one) => typeof one === 'string');
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new InvalidInputError(form);
  if (!Object.values(parsed).every(isTextList)) throw new InvalidInputError(form);
  return parsed as FileDepsAllowlist;
};

/** As in Cachito: `{"npm": {"NAME": {"value": "…", "kind": "literal"}}}`. What Go itself needs cannot be changed. */
export const environmentVariables: Parser<Settings['environmentVariables']> = (value, name) => {
  const form = `${name} must be a JSON object of the form {"npm": {"NAME": {"value": "text", "kind": "literal or path"}}}`;
  const refusal = new InvalidInputError(form);
  const entriesOf = (object: unknown): [string, unknown][] => {
    if (typeof object !== 'object' || object === null || Array.isArray(object)) throw refusal;
    return Object.entries(object);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw refusal;
  }
  const result: Settings['environmentVariables'] = {};
  for (const [word, variables] of entriesOf(parsed)) {
    const [manager] = managers(word, name);
    if (word === 'all' || !manager) throw refusal;
    result[manager] = entriesOf(variables).map(([variable, info]) => {
      const { value: text, kind, ...others } = Object.fromEntries(entriesOf(info));
      if (typeof text !== 'string' || (kind !== 'literal' && kind !== 'path')) throw refusal;
      if (Object.keys(others).length > 0 || !/^[A-Za-z_]\w*$/.test(variable)) throw refusal;
      if (variable === 'GOCACHE' || variable === 'GOPATH') {
        throw new InvalidInputError(`${name} may not set ${variable}`);
      }
      return { name: variable, value: text, kind };
    });
  }
  return result;
};

export const limits: Parser<Limits> = (value, name) => {
  const result = { ...DEFAULT_LIMITS };
  for (const word of words(value, name)) {
    const [key = '', number = ''] = word.split('=');
    if (!(key in result)) {
      throw new InvalidInputError(
        `${name}: "${key}" is not one of ${Object.keys(DEFAULT_LIMITS).join(', ')}`,
      );
    }
    result[key as keyof Limits] = count(1)(number, `${name} ${key}`);
  }
  return result;
};
