import { posix } from 'node:path';
import { ValidationError } from '../../domain/errors.ts';

/** A JSON file of a project: hostile until looked at. Keys may be anything, `__proto__` too. */
export type JsonObject = { [key: string]: unknown };

const MAX_NESTING = 2000;

/** A JSON file that must hold an object. A byte order mark is allowed, as in npm. */
export function parseJsonObject(path: string, content: Buffer): JsonObject {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw unexpected(path, 'not UTF-8');
  }
  assertShallow(path, text);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw unexpected(path, `not JSON: ${(cause as Error).message}`);
  }
  if (!isObject(parsed)) throw unexpected(path, 'not a JSON object');
  return parsed;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy that may be changed, for a quarter of what structuredClone takes; however deep, without recursion. */
export function copyOf<T>(value: T): T {
  const root: unknown[] = [value];
  const pending: (JsonObject | unknown[])[] = [root];
  for (let container = pending.pop(); container; container = pending.pop()) {
    // Keys are the object's own, also `__proto__`: setting one never reaches a prototype.
    for (const [key, child] of Object.entries(container)) {
      if (typeof child !== 'object' || child === null) continue;
      const copy = Array.isArray(child) ? [...child] : { ...(child as JsonObject) };
      (container as JsonObject)[key] = copy;
      pending.push(copy);
    }
  }
  return root[0] as T;
}

export function requiredText(path: string, node: JsonObject, key: string): string {
  const value = Object.hasOwn(node, key) ? node[key] : undefined;
  if (value === undefined) throw unexpected(path, `missing key: '${key}'`);
  if (!isCleanText(value) || value.endsWith('/')) throw unexpected(path, `'${key}' is not text`);
  return value;
}

export function optionalText(path: string, location: string, node: JsonObject, key: string): string | null {
  const value = node[key];
  if (value === undefined || value === null || value === false) return null;
  if (!isCleanText(value)) throw unexpected(path, `'${key}' of '${location}' is not text`);
  return value;
}

/** Text that can be stored, logged and encoded in URLs. */
export function isCleanText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed() && !/[\x00-\x1f\x7f]/.test(value);
}

/** JSON.stringify is recursive: refuse what it could not write again. */
function assertShallow(path: string, text: string): void {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inText) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inText = false;
    } else if (code === 0x22) {
      inText = true;
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > MAX_NESTING) throw unexpected(path, `nested more than ${MAX_NESTING} levels deep`);
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
    }
  }
}

export function unexpected(path: string, what: string): ValidationError {
  const name = posix.basename(path);
  return new ValidationError(
    'invalid-lockfile',
    `The ${name === 'package.json' ? 'file' : 'lock file'} ${name} has an unexpected format (${what})`,
    { details: { file: path } },
  );
}
