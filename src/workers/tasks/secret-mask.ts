import { SHORTEST_SECRET } from '../../domain/images/build-submission.ts';

const MASK = '***';

/**
 * Masks the values of secrets, each line of them too, and what is left of one where a text was cut (`…`); and then whatever
 * `mask` does. Lines of a value that are shorter than a secret may be are not masked: they are parts of any text.
 */
export function secretMask(
  secrets: Readonly<Record<string, string>>,
  mask: (text: string) => string,
): (text: string) => string {
  const values = Object.values(secrets).flatMap((value) => [value, value.trim(), ...value.split(/[\r\n]+/)]);
  const worthMasking = [...new Set(values)].filter((value) => value.trim().length >= SHORTEST_SECRET);
  if (worthMasking.length === 0) return mask;
  // Longest first: one value may be part of another.
  const known = worthMasking.sort((a, b) => b.length - a.length);
  return (text) => {
    // First, since a short value may be the beginning of a long one.
    const whole = text.includes(CUT) ? withoutCutSecrets(text, known) : text;
    return mask(known.reduce((masked, value) => masked.replaceAll(value, MASK), whole));
  };
}

const CUT = '…';
/** Where a text ends before its mark: half a character is no part of it. */
const MARK = /\u{fffd}*(?: \[)?…/gu;

function withoutCutSecrets(text: string, known: readonly string[]): string {
  let masked = '';
  let from = 0;
  for (const { index, 0: mark } of text.matchAll(MARK)) {
    masked += withoutBeginning(text.slice(from, index), known) + mark;
    from = index + mark.length;
  }
  return masked + text.slice(from);
}

/** Without the beginning of a secret at its end. */
function withoutBeginning(text: string, known: readonly string[]): string {
  const longest = Math.max(...known.map((value) => shared(text, value)));
  return longest === 0 ? text : text.slice(0, -longest) + MASK;
}

/** How many characters at the end of the text are the first ones of the value, if that is worth masking. */
function shared(text: string, value: string): number {
  const end = text.slice(-value.length);
  for (let length = end.length; length >= SHORTEST_SECRET; length--) {
    if (value.startsWith(end.slice(end.length - length))) return length;
  }
  return 0;
}
