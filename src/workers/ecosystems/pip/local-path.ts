/** What pip takes for an archive when it has no scheme. */
const ARCHIVE = /\.(whl|zip|tar|tar\.(gz|bz2|xz|lzma)|tgz|tbz|txz|tlz)$/i;

/**
 * Whether a requirement is a path of this machine, as pip sees it: `.`, `./package[extra]`, `libs/package`,
 * `vendor/a-1.0.whl`, `file:../package`. That is code of the source itself, which the bundle has as it is.
 */
export function isLocalPath(text: string): boolean {
  if (/^file:(?!\/\/)/i.test(text)) return true;
  const [beforeMarker = ''] = text.split(';', 1);
  const path = withoutExtras(beforeMarker.trimEnd()).trimEnd();
  if (/[\s@:<>=!~]/.test(path)) return false;
  return path === '.' || path === '..' || /[/\\]/.test(path) || ARCHIVE.test(path);
}

/** `[a,b]` at the end. Without a regular expression: a line of a lock file may have megabytes of brackets. */
function withoutExtras(text: string): string {
  if (!text.endsWith(']')) return text;
  const start = text.indexOf('[', text.lastIndexOf(']', text.length - 2) + 1);
  return start < 0 ? text : text.slice(0, start);
}
