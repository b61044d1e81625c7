/** What pip takes for an archive when it has no scheme. */
const ARCHIVE = /\.(whl|zip|tar|tar\.(gz|bz2|xz|lzma)|tgz|tbz|txz|tlz)$/i;

/**
 * Whether a requirement is a path of this machine, as pip sees it: `.`, `./package[extra]`, `libs/package`,
 * `vendor/a-1.0.whl`, `file:../package`. That is code of the source itself, which the bundle has as it is.
 */
export function isLocalPath(text: string): boolean {
  if (/^file:(?!\/\/)/i.test(text)) return true;
  const path = text
    .replace(/\s*;.*$/s, '')
    .replace(/\[[^\]]*\]$/, '')
    .trimEnd();
  if (/[\s@:<>=!~]/.test(path)) return false;
  return path === '.' || path === '..' || /[/\\]/.test(path) || ARCHIVE.test(path);
}
