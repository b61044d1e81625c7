import parseExpression from 'spdx-expression-parse';

/** A licence text as an SBOM may say it: a valid SPDX expression, or just a name. */
export type License = { expression: string } | { name: string };

export function licenseOf(text: string): License {
  const trimmed = text.trim();
  try {
    parseExpression(trimmed);
    return { expression: trimmed };
  } catch {
    return { name: trimmed };
  }
}
