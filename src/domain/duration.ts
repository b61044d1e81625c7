import { InvalidInputError } from './errors.ts';

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** `30d`, `12h`, … in milliseconds. */
export function durationMs(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit ?? ''] ?? Number.NaN);
  if (!(ms > 0)) throw new InvalidInputError(`"${text}" is not a duration; write it like 12h or 30d`);
  return ms;
}
