/**
 * Package registries of one request (cachito.md 4.4): read-only endpoints at our own URL, which the registry form of
 * configuration files and environment variables points to. What a worker writes has placeholders instead of our URL,
 * the request's id and the password: the URL depends on who reads (a proxy, another name), and secrets stay out of
 * step results.
 */
export const REGISTRY_KINDS = ['npm', 'yarn', 'pip-hosted', 'pip-raw', 'rubygems-hosted', 'gomod'] as const;
export type RegistryKind = (typeof REGISTRY_KINDS)[number];

/** How a placeholder is filled in; `url` ends in a slash. */
const PARTS = ['url', 'address', 'auth', 'url-with-credentials'] as const;
type Part = (typeof PARTS)[number];

/** `https://stowage.example/packages/cachito-npm-7/` */
export const registryUrl = (kind: RegistryKind): string => placeholder(kind, 'url');
/** The same without its scheme, as `.npmrc` names it: `//stowage.example/packages/cachito-npm-7/` */
export const registryAddress = (kind: RegistryKind): string => placeholder(kind, 'address');
/** Base64 of `user:password`. */
export const registryAuth = (kind: RegistryKind): string => placeholder(kind, 'auth');
/** `https://user:password@stowage.example/packages/cachito-pip-hosted-7/` */
export const registryUrlWithCredentials = (kind: RegistryKind): string =>
  placeholder(kind, 'url-with-credentials');

/** Where a request's registry is and who may read it. */
export interface RegistryAccess {
  /** Of this service, without a slash at its end. */
  baseUrl: string;
  requestId: number;
  password: string;
}

/** `cachito-npm-7`: the name that clients of Cachito know (cachito.md 4.4). */
export function registryName(kind: RegistryKind, requestId: number): string {
  return `cachito-${kind}-${requestId}`;
}

/** The reverse of {@link registryName}; null for anything else. */
export function parseRegistryName(name: string): { kind: RegistryKind; requestId: number } | null {
  const [, kind, id] = REGISTRY_NAME.exec(name) ?? [];
  return kind === undefined ? null : { kind: kind as RegistryKind, requestId: Number(id) };
}

const REGISTRY_NAME = new RegExp(`^cachito-(${REGISTRY_KINDS.join('|')})-([1-9]\\d{0,14})$`);

/** `cachito-pip-7` for both registries of pip. */
export function registryUser(kind: RegistryKind, requestId: number): string {
  return `cachito-${kind.replace(/-(hosted|raw)$/, '')}-${requestId}`;
}

/** Puts address and password into what a worker wrote. */
export function fillInRegistries(text: string, access: RegistryAccess): string {
  return text.replace(PLACEHOLDER, (_, kind: RegistryKind, part: Part) => fill(kind, part, access));
}

/** No lock file, requirements file or configuration of a project holds this by chance. */
const PLACEHOLDER = new RegExp(
  `\\{stowage-registry:(${REGISTRY_KINDS.join('|')}):(${PARTS.join('|')})\\}`,
  'g',
);

function placeholder(kind: RegistryKind, part: Part): string {
  return `{stowage-registry:${kind}:${part}}`;
}

function fill(kind: RegistryKind, part: Part, { baseUrl, requestId, password }: RegistryAccess): string {
  const url = `${baseUrl}/packages/${registryName(kind, requestId)}/`;
  const user = registryUser(kind, requestId);
  switch (part) {
    case 'url':
      return url;
    case 'address':
      return url.replace(/^https?:/, '');
    case 'auth':
      return Buffer.from(`${user}:${password}`).toString('base64');
    case 'url-with-credentials':
      return url.replace('://', `://${user}:${password}@`);
  }
}
