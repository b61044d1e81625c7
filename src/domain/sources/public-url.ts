/** URL of a repository without credentials and with a scheme; null for a path on this machine. */
export function publicVcsUrl(repository: string): string | null {
  const scp = /^(?:([^@/\s]+)@)?([^:/\s]+):(?!\/)(.+)$/.exec(repository);
  if (scp) return `ssh://${scp[1] ? `${scp[1]}@` : ''}${scp[2]}/${scp[3]}`;
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(repository) || /^(git\+)?file:/i.test(repository)) return null;
  return withoutCredentials(repository.replace(/^git\+/i, ''));
}

/** Of an ssh URL only the password: its user is part of the address. */
export function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  const isSecret = url.password !== '' || (url.username !== '' && url.protocol !== 'ssh:');
  if (!isSecret) return text;
  if (url.protocol !== 'ssh:') url.username = '';
  url.password = '';
  return url.href;
}
