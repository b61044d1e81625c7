import { hasClearCredentials } from '../domain/sources/repository-credentials.ts';

/** Names of query parameters whose values nobody may read in a log. */
const SECRET =
  /token|secret|passw|pwd|credential|signature|session|api[-_]?key|^(auth|authorization|jwt|sig|code|key)$/i;
const WITH_USER_INFO = /\/\/[^/?#]*@/;
const LONGEST = 2_000;

/** The target of a request as it may be logged: without secrets, without the credentials of URLs in its parameters. */
export function maskedUrl(url: string): string {
  const question = url.indexOf('?');
  if (question < 0) return shortened(url);
  const parameters = url
    .slice(question + 1)
    .split('&')
    .map(maskedParameter);
  return shortened(`${url.slice(0, question)}?${parameters.join('&')}`);
}

function maskedParameter(parameter: string): string {
  const equals = parameter.indexOf('=');
  if (equals < 0) return parameter;
  const name = parameter.slice(0, equals);
  const value = decoded(parameter.slice(equals + 1));
  const isSecret = SECRET.test(decoded(name)) || WITH_USER_INFO.test(value) || !hasClearCredentials(value);
  return isSecret ? `${name}=***` : parameter;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function shortened(url: string): string {
  return url.length > LONGEST ? `${url.slice(0, LONGEST)}…` : url;
}
