import type { IncomingHttpHeaders } from 'node:http';
import type { ByteRange } from '../../domain/storage/blob-store.ts';

/** How a GET or HEAD of a representation with a strong entity tag is answered. `range` is what the body holds. */
export type Selection =
  | { status: 200 | 206; range: ByteRange }
  | { status: 304 | 412 }
  /** Nothing of the representation lies in the range. */
  | { status: 416 };

/** What conditions are compared with. */
export interface Validators {
  /** Strong, with its quotes. */
  etag: string;
  lastModified: Date | null;
}

/**
 * RFC 9110: preconditions in the order of 13.2.2, then the range of 14.2. One range only: several are answered by the
 * whole, which 14.2 leaves to the server; so is what is no valid range of bytes, and any range of a HEAD.
 */
export function selectRange(
  method: string,
  headers: IncomingHttpHeaders,
  { etag, lastModified }: Validators,
  size: number,
): Selection {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && !matchesAny(ifMatch, etag, 'strong')) return { status: 412 };
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && matchesAny(ifNoneMatch, etag, 'weak')) return { status: 304 };
  const ifModifiedSince = headers['if-modified-since'];
  if (ifNoneMatch === undefined && lastModified && ifModifiedSince !== undefined) {
    if (secondsOf(lastModified) <= Date.parse(ifModifiedSince) / 1_000) return { status: 304 };
  }

  const whole: Selection = { status: 200, range: { start: 0, end: size } };
  if (method === 'HEAD' || headers.range === undefined) return whole;
  // A date never matches: it is no strong validator, and clients that have it have the entity tag too.
  if (headers['if-range'] !== undefined && headers['if-range'] !== etag) return whole;
  const asked = parseRange(headers.range);
  if (asked === null) return whole;
  const range = resolveRange(asked, size);
  return range === null ? { status: 416 } : { status: 206, range };
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1_000);
}

/** As in the header; an open end is Infinity, `suffix` counts from the end. */
type AskedRange = { first: number; last: number } | { suffix: number };

const SINGLE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

function parseRange(header: string): AskedRange | null {
  const parts = SINGLE_RANGE.exec(header);
  if (!parts) return null;
  const [, first = '', last = ''] = parts;
  if (first === '') return last === '' ? null : { suffix: Number(last) };
  const range = { first: Number(first), last: last === '' ? Number.POSITIVE_INFINITY : Number(last) };
  return range.last < range.first ? null : range;
}

function resolveRange(asked: AskedRange, size: number): ByteRange | null {
  const range =
    'suffix' in asked
      ? { start: Math.max(0, size - asked.suffix), end: size }
      : { start: asked.first, end: Math.min(size, asked.last + 1) };
  return range.start < range.end ? range : null;
}

const ENTITY_TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

/** RFC 9110 8.8.3.2: tags that are weak match weakly only. */
export function matchesAny(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  for (const [, weak, tag] of header.matchAll(ENTITY_TAG)) {
    if (tag === etag && (comparison === 'weak' || weak === undefined)) return true;
  }
  return false;
}
