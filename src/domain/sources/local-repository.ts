/**
 * Whether a repository is named by a path or a `file` URL. Only workers that allow the protocol `file` may take such a
 * source: on the others the path is another one, or none of the user's business.
 */
export function isLocalRepository(repository: string): boolean {
  const text = repository.trim().replace(/^git\+(?=[a-z]+:\/\/)/i, '');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return /^file:/i.test(text);
  return !/^[^/\s:]+:/.test(text);
}
