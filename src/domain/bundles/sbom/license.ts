import parseExpression from 'spdx-expression-parse';

/** A licence text as an SBOM may say it: a valid SPDX expression, or just a name. */
export type License = { expression: string } | { name: string };

export function licenseOf(text: string): License {
  let license = known.get(text);
  if (!license) {
    license = readLicense(text.trim());
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(text, license);
  }
  return license;
}

/** Thousands of packages have the same few. */
const known = new Map<string, License>();
const MOST_KNOWN = 200;

function readLicense(text: string): License {
  try {
    parseExpression(text);
    return { expression: text };
  } catch {
    return { name: text };
  }
}
