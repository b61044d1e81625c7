/**
 * The URL of a registry or index as paths are joined to it and as it is compared: ends in one slash, without credentials,
 * query and fragment.
 */
export function upstreamBaseUrl(text: string): string {
  const url = new URL(text);
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/`;
  return url.href;
}
