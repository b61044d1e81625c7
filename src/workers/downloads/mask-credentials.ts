import { UNESCAPED_CREDENTIALS } from '../../domain/sources/public-url.ts';

/** Query parameters (and assignments in texts) whose values are secrets. */
const SECRET_PARAMETERS = [
  'access_key',
  'access_token',
  'api_key',
  'apikey',
  'api-key',
  '_auth',
  'auth_token',
  '_authToken',
  'authtoken',
  'client_secret',
  'id_token',
  'jwt',
  'oauth_token',
  '_password',
  'passphrase',
  'passwd',
  'password',
  'private_token',
  'refresh_token',
  'secret',
  'secret_key',
  'token',
  'x-amz-credential',
  'x-amz-security-token',
  'x-amz-signature',
  'x-goog-credential',
  'x-goog-signature',
];

/** The same, but only where they stand in a query or a list: in other texts these words mean something else, as PWD does. */
const LISTED_PARAMETERS = ['auth', 'credential', 'pwd', 'sig', 'signature'];

/** Not before the digest of an image. */
const USER_INFO = /\b([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s/?#"'`<>]+)@(?!sha256:[0-9a-f]{64})/gi;
/** What only names a variable says nothing of its value. */
const VALUE =
  '(?!\\$(?:(?-i:[A-Z_][A-Z0-9_]*)|\\{(?-i:[A-Z_][A-Z0-9_]*)\\})(?:$|[\\s&#"\'`<>;,]))[^\\s&#"\'`<>;,]+';
const PARAMETER = new RegExp(
  `((?<![\\w-])(?:${SECRET_PARAMETERS.join('|')})|(?<=[?&;])(?:${LISTED_PARAMETERS.join('|')}))=${VALUE}`,
  'gi',
);
const HEADER =
  /\b((?:proxy-)?authorization["']?\s{0,3}[:=]\s{0,3}["']?)(?:(basic|bearer|token|jwt|digest)\s{1,3})?[^\s"',;]+/gi;

/**
 * Masks secrets in any text: user and password in URLs, known secret query parameters, authorization headers. A user name
 * without a password stays in ssh URLs, where it is none.
 */
export function maskCredentials(text: string): string {
  let masked = text;
  // What tells at a glance that there is nothing: logs have a hundred thousand lines a second.
  if (masked.includes('@')) {
    masked = masked.replace(USER_INFO, maskUserInfo).replace(UNESCAPED_CREDENTIALS, '$1***@');
  }
  if (masked.includes('=')) masked = masked.replace(PARAMETER, '$1=***');
  if (AUTHORIZATION.test(masked)) masked = masked.replace(HEADER, maskHeader);
  return masked;
}

const AUTHORIZATION = /authorization/i;

function maskUserInfo(whole: string, scheme: string, user: string): string {
  return /ssh:\/\/$/i.test(scheme) && !user.includes(':') ? whole : `${scheme}***@`;
}

function maskHeader(_whole: string, name: string, scheme?: string): string {
  return `${name}${scheme ? `${scheme} ` : ''}***`;
}
