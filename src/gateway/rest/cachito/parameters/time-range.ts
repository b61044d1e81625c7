import type { FastifyRequest } from 'fastify';
import { InvalidInputError } from '../../../../domain/errors.ts';
import { type LinkParameter, linkParameter } from './link-parameter.ts';
import { nonEmpty } from './query.ts';

/** Both ends inclusive, as the schema's exact times. */
export interface TimeRange {
  since: string | null;
  until: string | null;
  linkParameters: LinkParameter[];
}

/** A parameter that is no time. Cachito's later versions tell it in an envelope of their own: clients get both. */
export class InvalidTimeError extends InvalidInputError {
  /** Parameter → text. */
  readonly errors: Record<string, string>;

  constructor(errors: Record<string, string>) {
    super(Object.values(errors)[0]!);
    this.errors = errors;
  }
}

/** Reads two parameters with ISO dates or times; a bare date stands for its beginning or, as an end, for its end. */
export function timeRangeOf(request: FastifyRequest, from: string, to: string): TimeRange {
  const range: TimeRange = { since: null, until: null, linkParameters: [] };
  const errors: Record<string, string> = {};
  for (const [name, end] of [
    [from, 'since'],
    [to, 'until'],
  ] as const) {
    const text = nonEmpty(request, name);
    if (text === null) continue;
    range[end] = exactTimeOf(text, end);
    range.linkParameters.push(...linkParameter(name, text));
    if (range[end] === null) errors[name] = `'${text}' is not a valid datetime(ISO 8601 format).`;
  }
  if (Object.keys(errors).length > 0) throw new InvalidTimeError(errors);
  return range;
}

/** The `+` of an offset may have become a space on its way. */
const TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,6})\d*)?)?(Z|[+ -]\d\d(?::?\d\d)?)?)?$/i;

/** Null for what is no time. Without a zone it is UTC. */
function exactTimeOf(text: string, end: 'since' | 'until'): string | null {
  const [, date, minutes, seconds = '00', fraction = '', zone = 'Z'] = TIME.exec(text) ?? [];
  if (date === undefined || !isDate(date)) return null;
  if (minutes === undefined) return `${date}T${end === 'since' ? '00:00:00.000000' : '23:59:59.999999'}Z`;
  const time = new Date(`${date}T${minutes}:${seconds}${zoneOf(zone)}`);
  const exact = Number.isNaN(time.getTime()) ? '' : time.toISOString();
  // Years that have no four digits any more, after the zone was taken off.
  if (!/^\d{4}-/.test(exact) || exact.startsWith('0000')) return null;
  return `${exact.slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}.${fraction.padEnd(6, '0')}Z`;
}

/** A day that the calendar has: Date would take the 30th of February for the 1st or 2nd of March. */
function isDate(date: string): boolean {
  const time = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(date) && !date.startsWith('0000');
}

function zoneOf(zone: string): string {
  if (/^z$/i.test(zone)) return 'Z';
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  return `${zone.startsWith('-') ? '-' : '+'}${digits.slice(0, 2)}:${digits.slice(2)}`;
}
