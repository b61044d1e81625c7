import { InvalidInputError } from '../../errors.ts';
import { requireStorable } from '../../storable-text.ts';
import { isJsonObject, listed } from './json-value.ts';

/** As a worker of Cachito's sends it; `encoded` should be Base64, which nobody checks. */
export interface SentConfigurationFile {
  path: string;
  encoded: string;
}

/** Whether there are files at all: told before the request is looked for (cachito.md 1.10). */
export function requireFileList(body: unknown): asserts body is unknown[] {
  if (!Array.isArray(body)) throw new InvalidInputError('The input data must be a JSON array');
}

/** One bad file refuses them all. Throws InvalidInputError. */
export function configurationFiles(body: readonly unknown[]): SentConfigurationFile[] {
  const files = body.map(configurationFile);
  requireStorable(body);
  return files;
}

const KEYS = ['content', 'path', 'type'];

function configurationFile(value: unknown): SentConfigurationFile {
  if (!isJsonObject(value)) {
    throw new InvalidInputError('The base64 configuration file must be a JSON object');
  }
  const missing = KEYS.filter((key) => !Object.hasOwn(value, key));
  if (missing.length > 0) {
    throw new InvalidInputError(
      `The following keys for the base64 configuration file are missing: ${listed(missing)}`,
    );
  }
  const unknown = Object.keys(value).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) {
    throw new InvalidInputError(
      `The following keys for the base64 configuration file are invalid: ${listed(unknown)}`,
    );
  }
  const { type, path, content } = value;
  if (type !== 'base64') {
    const shown = typeof type === 'string' ? type : JSON.stringify(type);
    throw new InvalidInputError(`The configuration type of "${shown}" is invalid`);
  }
  return { path: stringOf('path', path), encoded: stringOf('content', content) };
}

function stringOf(key: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new InvalidInputError(`The base64 configuration file key of "${key}" must be a string`);
}
