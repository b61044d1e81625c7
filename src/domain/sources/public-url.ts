/** URL of a repository without credentials and with a scheme; null for a path on this machine. */
export function publicVcsUrl(repository: string): string | null {
  const scp = /^(?:([^@/\s]+)@)?([^:/\s]+):(?!\/)(.+)$/.exec(repository);
  if (scp) return `ssh://${scp[1] ? `${scp[1]}@` : ''}${scp[2]}/${scp[3]}`;
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(repository) || /^(git\+)?file:/i.test(repository)) return null;
  return withoutCredentials(repository.replace(/^git\+/i, ''));
}

/**
 * Of an ssh URL only the password: its user is part of the address. Of what is no URL everything up to the last "@": a
 * password may be why it is none.
 */
export function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return text.replace(UNREADABLE, '$1');
  const url = new URL(text);
  const isSecret = url.password !== '' || (url.username !== '' && url.protocol !== 'ssh:');
  if (!isSecret) return text;
  if (url.protocol !== 'ssh:') url.username = '';
  url.password = '';
  return url.href;
}

const UNREADABLE = /^((?:git\+)?[a-z][a-z0-9+.-]*:\/\/).*@/is;

/**
 * Up to the end of a password with a "/", "?" or "#" in it that is not escaped, which makes the name of the user the host: it
 * is no port. Of ssh URLs what stands there may be a path.
 */
export const UNESCAPED_CREDENTIALS =
  /\b([a-z][a-z0-9+.-]{0,20}:\/\/)(?<!ssh:\/\/)[^\s/?#"'`<>@:[]{0,300}:(?!\d{0,5}(?:[/?#"'`<>\s]|$))[^\s/?#"'`<>@]{0,1000}[/?#][^\s"'`<>]{0,1000}@/gi;
