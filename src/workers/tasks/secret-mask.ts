/** Shorter ones are parts of any text. */
const SHORTEST = 4;

/** Masks the values of secrets, each line of them too, and then whatever `mask` does. */
export function secretMask(
  secrets: Readonly<Record<string, string>>,
  mask: (text: string) => string,
): (text: string) => string {
  const values = Object.values(secrets).flatMap((value) => [value, value.trim(), ...value.split(/\r?\n/)]);
  const worthMasking = [...new Set(values)].filter((value) => value.trim().length >= SHORTEST);
  if (worthMasking.length === 0) return mask;
  // Longest first: one value may be part of another.
  const known = worthMasking.sort((a, b) => b.length - a.length);
  return (text) => mask(known.reduce((masked, value) => masked.replaceAll(value, '***'), text));
}
