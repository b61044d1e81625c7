/** A requirement as lock files have it: `name@range`. */
export interface Pattern {
  /** The folder's name. */
  name: string;
  range: string;
  /** The package's own name: that of the range for `name@npm:other@range`. */
  packageName: string;
}

export function parsePattern(text: string): Pattern {
  const { name, range } = splitAtVersion(text);
  const packageName = range.startsWith('npm:') ? splitAtVersion(range.slice('npm:'.length)).name : name;
  return { name, range, packageName };
}

/** The path of a dependency in a directory of the source (prefetch.md 4.1); null for others. */
export function localPath(range: string): string | null {
  const protocol = /^(?:file|link):/.exec(range);
  if (protocol) return range.slice(protocol[0].length);
  return /^(?:\.{1,2}\/|\/|[A-Za-z]:[\\/])/.test(range) ? range : null;
}

function splitAtVersion(text: string): { name: string; range: string } {
  const at = text.indexOf('@', 1);
  return at < 0 ? { name: text, range: '' } : { name: text.slice(0, at), range: text.slice(at + 1) };
}
