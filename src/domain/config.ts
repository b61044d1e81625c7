import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { EnvironmentVariable } from './bundles/bundle-file.ts';
import { durationMs } from './duration.ts';
import { InvalidInputError } from './errors.ts';
import { PACKAGE_MANAGERS, type PackageManager } from './packages/package.ts';

/**
 * The settings of DESIGN section 3. Read once per process from the environment; `stowage config` prints them.
 * Every `STOWAGE_*` variable has one row in {@link SETTINGS}; unknown names are an error.
 */
export interface Settings {
  host: string;
  port: number;
  publicUrl: string | null;
  dataDir: string;
  /** null: the embedded PostgreSQL under the data directory. */
  databaseUrl: string | null;
  /** `file:<directory>` or `s3://bucket/prefix`. */
  blobStore: string;
  adminUser: string;
  /** null: generated on first start. */
  adminPassword: string | null;
  cachitoLoginDisabled: boolean;
  workerUsernames: string[];
  userRepresentatives: string[];
  trustedProxies: string[];
  /** Headers in which a trusted proxy says who the client is. */
  proxyUserHeader: string;
  proxyCertificateVerifyHeader: string;
  proxyCertificateSubjectHeader: string;
  /** `HTTP@host`; null: no tickets are taken. */
  kerberosService: string | null;
  /** Files; null: TLS ends in front of the gateway, or nowhere. */
  tlsCertificate: string | null;
  tlsKey: string | null;
  tlsClientAuthorities: string | null;
  packageManagers: PackageManager[];
  defaultPackageManagers: PackageManager[];
  /** Pairs that may not work on the same directory of a Cachito request. */
  mutuallyExclusivePackageManagers: [PackageManager, PackageManager][];
  /** Of Cachito's lists. */
  maxPerPage: number;
  /** Under Cachito's rules: variables that a manager's requests get besides, or with other values than, our own. */
  environmentVariables: Partial<Record<PackageManager, EnvironmentVariable[]>>;
  workerConcurrency: number;
  downloadConcurrency: number;
  /** At most so many connections to one host. */
  downloadConcurrencyPerHost: number;
  gitConfig: string | null;
  gitAllowedProtocols: string[];
  /** Base URLs; null: what the ecosystem's own client configuration on this machine says. */
  npmRegistry: string | null;
  pypiIndex: string | null;
  goproxy: string | null;
  gosumdb: string | null;
  rubygemsSource: string | null;
  /** PEM; null: consumers of our registries trust our certificate anyway. */
  registryCaFile: string | null;
  goToolchainDownloads: boolean;
  /** Under Cachito's rules (cachito.md 7). */
  gomodIgnoreMissingFile: boolean;
  gomodStrictVendor: boolean;
  goPrivate: string | null;
  /** `file:` dependencies that are let through, by the name of the package that has them (cachito.md 7). */
  npmFileDepsAllowlist: FileDepsAllowlist;
  yarnFileDepsAllowlist: FileDepsAllowlist;
  urlRewrites: { prefix: string; replacement: string }[];
  allowPrivateNetworks: boolean;
  /** Seconds after their last change until requests made under Cachito's rules become stale. */
  requestLifetime: number;
  requestLifetimeFailed: number;
  /** The same for requests of the own interface, however they ended; null: they are kept. */
  nativeRequestLifetime: number | null;
  /** Seconds since the newest request for a source until `stowage prune` removes it. */
  pruneAge: number;
  /** Nothing younger is ever removed. */
  pruneMinimumAge: number;
  /** Whether a push by somebody who may manage the project creates what is missing. */
  registryAutoCreate: boolean;
  /** What anybody may do on `/v2`, without credentials. */
  registryAnonymous: RegistryAnonymous;
  /** Where images with shorter names lie (oci-registry.md 1). */
  registryDefaultProject: string;
  registryDefaultRepository: string;
  /** Bytes of one pushed blob; null: as many as fit. */
  registryBlobBytes: number | null;
  /** How long blobs and manifests stay that nothing seems to need: a push may be about to name them. */
  garbageGraceSeconds: number;
  /** How many gateways `stowage serve` starts; they share the port. */
  gatewayProcesses: number;
  logLevel: string;
  limits: Limits;
}

export type FileDepsAllowlist = Readonly<Record<string, readonly string[]>>;
const REGISTRY_ANONYMOUS = ['none', 'pull', 'push'] as const;
export type RegistryAnonymous = (typeof REGISTRY_ANONYMOUS)[number];

/** Caps on what a source or an upstream may make us read, write and remember (prefetch.md 12). */
export interface Limits {
  /** Bytes of one fetched file. */
  artifactBytes: number;
  /** Bytes of one manifest of an image. */
  manifestBytes: number;
  /** Bytes of one uploaded archive, as sent. */
  uploadBytes: number;
  /** Bytes of all files of a source or of any archive, unpacked. */
  unpackedBytes: number;
  /** Entries of a source or of any archive. */
  entries: number;
  /** Unpacked bytes for each packed byte. */
  compressionRatio: number;
  /** Bytes of one lock or requirements file. */
  lockFileBytes: number;
  /** Dependencies of one request. */
  dependencies: number;
  /** Seconds from submission to the end of a request. */
  requestSeconds: number;
  /** Seconds for one external command. */
  commandSeconds: number;
}

type Environment = Record<string, string | undefined>;
type Parser<T> = (text: string, name: string) => T;

interface SettingRow<K extends keyof Settings = keyof Settings> {
  variable: string;
  key: K;
  parse: Parser<Settings[K]>;
  fallback: (settings: Partial<Settings>) => Settings[K];
  /** Printed masked. */
  secret?: boolean;
  meaning: string;
}

const GIB = 1024 ** 3;
const DEFAULT_LIMITS: Limits = {
  artifactBytes: 8 * GIB,
  manifestBytes: 8 * 1024 * 1024,
  uploadBytes: 2 * GIB,
  unpackedBytes: 16 * GIB,
  entries: 1_000_000,
  compressionRatio: 200,
  lockFileBytes: 64 * 1024 * 1024,
  dependencies: 100_000,
  requestSeconds: 6 * 3600,
  commandSeconds: 3600,
};

function row<K extends keyof Settings>(definition: SettingRow<K>): SettingRow {
  return definition as unknown as SettingRow;
}

const text: Parser<string> = (value) => value;
const words: Parser<string[]> = (value) => value.split(/[\s,]+/).filter(Boolean);

/** Names as words, or as a JSON array: subjects of certificates have spaces and commas. */
const names: Parser<string[]> = (value, name) => {
  if (!value.trimStart().startsWith('[')) return words(value, name);
  const refusal = new InvalidInputError(`${name} must be words or a JSON array of strings, not "${value}"`);
  try {
    const list: unknown = JSON.parse(value);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  } catch {
    throw refusal;
  }
  throw refusal;
};

const addresses: Parser<string[]> = (value, name) => {
  const list = words(value, name);
  for (const entry of list) {
    const [address = '', bits, ...others] = entry.split('/');
    const most = isIP(address) === 6 ? 128 : 32;
    const isAddress =
      isIP(address) !== 0 &&
      others.length === 0 &&
      (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= most));
    if (isAddress || ADDRESS_RANGES.includes(entry)) continue;
    throw new InvalidInputError(
      `${name}: "${entry}" is neither an address, a range like 10.0.0.0/8, nor one of ${ADDRESS_RANGES.join(', ')}`,
    );
  }
  return list;
};

const ADDRESS_RANGES = ['loopback', 'linklocal', 'uniquelocal'];

const headerName: Parser<string> = (value, name) => {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(value)) return value;
  throw new InvalidInputError(`${name}: "${value}" is not the name of a header`);
};

const flag: Parser<boolean> = (value, name) => {
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off|)$/i.test(value)) return false;
  throw new InvalidInputError(`${name} must be true or false, not "${value}"`);
};

const count =
  (minimum: number, maximum = Number.MAX_SAFE_INTEGER): Parser<number> =>
  (value, name) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < minimum || number > maximum) {
      throw new InvalidInputError(
        `${name} must be a whole number from ${minimum} to ${maximum}, not "${value}"`,
      );
    }
    return number;
  };

const managers: Parser<PackageManager[]> = (value, name) => {
  if (value === 'all') return [...PACKAGE_MANAGERS];
  return words(value, name).map((word) => {
    const manager = PACKAGE_MANAGERS.find((known) => known === word);
    if (!manager) {
      throw new InvalidInputError(`${name}: "${word}" is not one of ${PACKAGE_MANAGERS.join(', ')}`);
    }
    return manager;
  });
};

const managerPairs: Parser<[PackageManager, PackageManager][]> = (value, name) =>
  value === 'none'
    ? []
    : words(value, name).map((pair) => {
        const [first, second, ...others] = managers(pair.replaceAll('/', ' '), name);
        if (pair === 'all' || !first || !second || others.length > 0 || first === second) {
          throw new InvalidInputError(`${name}: "${pair}" is not a pair like npm/yarn`);
        }
        return [first, second];
      });

const baseUrl: Parser<string> = (value, name) => {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
    throw new InvalidInputError(`${name} must be an http or https URL, not "${value}"`);
  }
  return value.replace(/\/+$/, '');
};

const rewrites: Parser<Settings['urlRewrites']> = (value, name) =>
  value
    .split(/\s+/)
    .filter(Boolean)
    .map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new InvalidInputError(`${name}: "${pair}" is not of the form prefix=replacement`);
      return { prefix: pair.slice(0, at), replacement: pair.slice(at + 1) };
    });

const blobStore: Parser<string> = (value, name) => {
  if (!/^(file:.+|s3:\/\/[^/]+.*)$/.test(value)) {
    throw new InvalidInputError(`${name} must be file:DIRECTORY or s3://BUCKET/PREFIX, not "${value}"`);
  }
  return value;
};

const duration: Parser<number> = (value, name) => {
  try {
    return durationMs(value) / 1000;
  } catch {
    throw new InvalidInputError(`${name} must be a duration like 12h or 30d, not "${value}"`);
  }
};

const durationOrNever: Parser<number | null> = (value, name) =>
  value === 'never' ? null : duration(value, name);

const DAY = 24 * 3600;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

const logLevel: Parser<string> = (value, name) => {
  if (LOG_LEVELS.includes(value)) return value;
  throw new InvalidInputError(`${name} must be one of ${LOG_LEVELS.join(', ')}, not "${value}"`);
};

const anonymous: Parser<RegistryAnonymous> = (value, name) => {
  const known = REGISTRY_ANONYMOUS.find((one) => one === value);
  if (known) return known;
  throw new InvalidInputError(`${name} must be one of ${REGISTRY_ANONYMOUS.join(', ')}, not "${value}"`);
};

const imageNamePart: Parser<string> = (value, name) => {
  if (/^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/.test(value)) return value;
  throw new InvalidInputError(`${name} must be lower-case as in the name of an image, not "${value}"`);
};

const readableFile: Parser<string> = (value, name) => {
  if (!existsSync(value)) throw new InvalidInputError(`${name}: there is no file ${value}`);
  return resolve(value);
};

const allowlist: Parser<FileDepsAllowlist> = (value, name) => {
  const form = `${name} must be a JSON object of the form {"package": ["dependency"]}`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw new InvalidInputError(form);
  }
  const isTextList = (list: unknown) => Array.isArray(list) && list.every((one) => typeof one === 'string');
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new InvalidInputError(form);
  if (!Object.values(parsed).every(isTextList)) throw new InvalidInputError(form);
  return parsed as FileDepsAllowlist;
};

/** As in Cachito: `{"npm": {"NAME": {"value": "…", "kind": "literal"}}}`. What Go itself needs cannot be changed. */
const environmentVariables: Parser<Settings['environmentVariables']> = (value, name) => {
  const form = `${name} must be a JSON object of the form {"npm": {"NAME": {"value": "text", "kind": "literal or path"}}}`;
  const refusal = new InvalidInputError(form);
  const entriesOf = (object: unknown): [string, unknown][] => {
    if (typeof object !== 'object' || object === null || Array.isArray(object)) throw refusal;
    return Object.entries(object);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    throw refusal;
  }
  const result: Settings['environmentVariables'] = {};
  for (const [word, variables] of entriesOf(parsed)) {
    const [manager] = managers(word, name);
    if (word === 'all' || !manager) throw refusal;
    result[manager] = entriesOf(variables).map(([variable, info]) => {
      const { value: text, kind, ...others } = Object.fromEntries(entriesOf(info));
      if (typeof text !== 'string' || (kind !== 'literal' && kind !== 'path')) throw refusal;
      if (Object.keys(others).length > 0 || !/^[A-Za-z_]\w*$/.test(variable)) throw refusal;
      if (variable === 'GOCACHE' || variable === 'GOPATH') {
        throw new InvalidInputError(`${name} may not set ${variable}`);
      }
      return { name: variable, value: text, kind };
    });
  }
  return result;
};

const limits: Parser<Limits> = (value, name) => {
  const result = { ...DEFAULT_LIMITS };
  for (const word of words(value, name)) {
    const [key = '', number = ''] = word.split('=');
    if (!(key in result)) {
      throw new InvalidInputError(
        `${name}: "${key}" is not one of ${Object.keys(DEFAULT_LIMITS).join(', ')}`,
      );
    }
    result[key as keyof Limits] = count(1)(number, `${name} ${key}`);
  }
  return result;
};

export const SETTINGS: readonly SettingRow[] = [
  row({
    variable: 'STOWAGE_HOST',
    key: 'host',
    parse: text,
    fallback: () => '127.0.0.1',
    meaning: 'address on which the gateway listens',
  }),
  row({
    variable: 'STOWAGE_PORT',
    key: 'port',
    parse: count(0, 65535),
    fallback: () => 8080,
    meaning: 'port; 0 picks one',
  }),
  row({
    variable: 'STOWAGE_PUBLIC_URL',
    key: 'publicUrl',
    parse: baseUrl,
    fallback: () => null,
    meaning: 'base of absolute links',
  }),
  row({
    variable: 'STOWAGE_DATA_DIR',
    key: 'dataDir',
    parse: (value) => resolve(value),
    fallback: () => resolve('var'),
    meaning: 'embedded database, blobs, caches, temporary files',
  }),
  row({
    variable: 'DATABASE_URL',
    key: 'databaseUrl',
    parse: text,
    fallback: () => null,
    secret: true,
    meaning: 'PostgreSQL 15 or newer; embedded when unset',
  }),
  row({
    variable: 'STOWAGE_BLOB_STORE',
    key: 'blobStore',
    parse: blobStore,
    fallback: (settings) => `file:${settings.dataDir}/blobs`,
    meaning: 'file:DIRECTORY or s3://BUCKET/PREFIX',
  }),
  row({
    variable: 'STOWAGE_ADMIN_USER',
    key: 'adminUser',
    parse: text,
    fallback: () => 'admin',
    meaning: 'first administrator',
  }),
  row({
    variable: 'STOWAGE_ADMIN_PASSWORD',
    key: 'adminPassword',
    parse: text,
    fallback: () => null,
    secret: true,
    meaning: "the first administrator's password; generated when unset",
  }),
  row({
    variable: 'STOWAGE_CACHITO_LOGIN_DISABLED',
    key: 'cachitoLoginDisabled',
    parse: flag,
    fallback: () => false,
    meaning: 'anyone may submit and patch over the Cachito dialect',
  }),
  row({
    variable: 'STOWAGE_WORKER_USERNAMES',
    key: 'workerUsernames',
    parse: names,
    fallback: () => [],
    meaning: "who may use Cachito's worker endpoints",
  }),
  row({
    variable: 'STOWAGE_USER_REPRESENTATIVES',
    key: 'userRepresentatives',
    parse: names,
    fallback: () => [],
    meaning: 'who may submit on behalf of others',
  }),
  row({
    variable: 'STOWAGE_TRUSTED_PROXIES',
    key: 'trustedProxies',
    parse: addresses,
    fallback: () => [],
    meaning: 'addresses whose identity headers are believed',
  }),
  row({
    variable: 'STOWAGE_PROXY_USER_HEADER',
    key: 'proxyUserHeader',
    parse: headerName,
    fallback: () => 'X-Remote-User',
    meaning: 'in which a trusted proxy names the user',
  }),
  row({
    variable: 'STOWAGE_PROXY_CERTIFICATE_VERIFY_HEADER',
    key: 'proxyCertificateVerifyHeader',
    parse: headerName,
    fallback: () => 'X-SSL-Client-Verify',
    meaning: 'in which it says SUCCESS of a client certificate',
  }),
  row({
    variable: 'STOWAGE_PROXY_CERTIFICATE_SUBJECT_HEADER',
    key: 'proxyCertificateSubjectHeader',
    parse: headerName,
    fallback: () => 'X-SSL-Client-S-DN',
    meaning: 'in which it names the subject of the certificate, who is then the user',
  }),
  row({
    variable: 'STOWAGE_KERBEROS_SERVICE',
    key: 'kerberosService',
    parse: text,
    fallback: () => null,
    meaning:
      'such as HTTP@host.example: tickets for this service log in (its key in the file of KRB5_KTNAME)',
  }),
  row({
    variable: 'STOWAGE_TLS_CERT',
    key: 'tlsCertificate',
    parse: readableFile,
    fallback: () => null,
    meaning: 'certificate chain, PEM: the gateway speaks HTTPS',
  }),
  row({
    variable: 'STOWAGE_TLS_KEY',
    key: 'tlsKey',
    parse: readableFile,
    fallback: () => null,
    meaning: 'its key, PEM',
  }),
  row({
    variable: 'STOWAGE_TLS_CLIENT_CA',
    key: 'tlsClientAuthorities',
    parse: readableFile,
    fallback: () => null,
    meaning: 'authorities of client certificates, PEM: the subject of a certificate is the user',
  }),
  row({
    variable: 'STOWAGE_PACKAGE_MANAGERS',
    key: 'packageManagers',
    parse: managers,
    fallback: () => [...PACKAGE_MANAGERS],
    meaning: 'enabled package managers',
  }),
  row({
    variable: 'STOWAGE_DEFAULT_PACKAGE_MANAGERS',
    key: 'defaultPackageManagers',
    parse: managers,
    fallback: () => ['gomod'],
    meaning: 'used when a Cachito request names none',
  }),
  row({
    variable: 'STOWAGE_MUTUALLY_EXCLUSIVE_PACKAGE_MANAGERS',
    key: 'mutuallyExclusivePackageManagers',
    parse: managerPairs,
    fallback: () => [['npm', 'yarn']],
    meaning: 'pairs that may not work on the same directory of a Cachito request, or none',
  }),
  row({
    variable: 'STOWAGE_MAX_PER_PAGE',
    key: 'maxPerPage',
    parse: count(1, 1000),
    fallback: () => 100,
    meaning: 'at most so many requests on one page of a Cachito list',
  }),
  row({
    variable: 'STOWAGE_ENVIRONMENT_VARIABLES',
    key: 'environmentVariables',
    parse: environmentVariables,
    fallback: () => ({}),
    meaning:
      'more variables, or other values, for Cachito requests: {"npm": {"NAME": {"value": "text", "kind": "literal or path"}}}',
  }),
  row({
    variable: 'STOWAGE_WORKER_CONCURRENCY',
    key: 'workerConcurrency',
    parse: count(1, 1000),
    fallback: () => 2 * availableParallelism(),
    meaning: 'jobs at a time in one worker',
  }),
  row({
    variable: 'STOWAGE_DOWNLOAD_CONCURRENCY',
    key: 'downloadConcurrency',
    parse: count(1, 1000),
    fallback: () => 32,
    meaning: 'downloads at a time in one worker',
  }),
  row({
    variable: 'STOWAGE_DOWNLOAD_CONCURRENCY_PER_HOST',
    key: 'downloadConcurrencyPerHost',
    parse: count(1, 1000),
    fallback: () => 32,
    meaning: 'downloads at a time from one host',
  }),
  row({
    variable: 'STOWAGE_GIT_CONFIG',
    key: 'gitConfig',
    parse: readableFile,
    fallback: () => null,
    meaning: "git's global configuration: mirrors, credentials, CA",
  }),
  row({
    variable: 'STOWAGE_GIT_ALLOWED_PROTOCOLS',
    key: 'gitAllowedProtocols',
    parse: words,
    fallback: () => ['https', 'ssh', 'git', 'http'],
    meaning: 'schemes that a source may use',
  }),
  row({
    variable: 'STOWAGE_NPM_REGISTRY',
    key: 'npmRegistry',
    parse: baseUrl,
    fallback: () => null,
    meaning: 'upstream npm registry',
  }),
  row({
    variable: 'STOWAGE_PYPI_INDEX',
    key: 'pypiIndex',
    parse: baseUrl,
    fallback: () => null,
    meaning: 'upstream PEP 503 index, its simple/ page',
  }),
  row({
    variable: 'STOWAGE_GOPROXY',
    key: 'goproxy',
    parse: text,
    fallback: () => null,
    meaning: 'upstream Go module proxies, in the form of GOPROXY',
  }),
  row({
    variable: 'STOWAGE_GOSUMDB',
    key: 'gosumdb',
    parse: text,
    fallback: () => null,
    meaning: 'Go checksum database, in the form of GOSUMDB',
  }),
  row({
    variable: 'STOWAGE_RUBYGEMS_SOURCE',
    key: 'rubygemsSource',
    parse: baseUrl,
    fallback: () => null,
    meaning: 'upstream RubyGems source',
  }),
  row({
    variable: 'STOWAGE_REGISTRY_CA_FILE',
    key: 'registryCaFile',
    parse: readableFile,
    fallback: () => null,
    meaning: 'CA of our own certificate, given to package managers that use the registries of a request',
  }),
  row({
    variable: 'STOWAGE_GO_TOOLCHAIN_DOWNLOADS',
    key: 'goToolchainDownloads',
    parse: flag,
    fallback: () => true,
    meaning: 'whether go may fetch a newer toolchain that go.mod asks for',
  }),
  row({
    variable: 'STOWAGE_GOMOD_IGNORE_MISSING_FILE',
    key: 'gomodIgnoreMissingFile',
    parse: flag,
    fallback: () => true,
    meaning: 'whether a Cachito request for one Go module passes when there is no go.mod',
  }),
  row({
    variable: 'STOWAGE_GOMOD_STRICT_VENDOR',
    key: 'gomodStrictVendor',
    parse: flag,
    fallback: () => false,
    meaning: 'whether a source with a vendor directory needs a vendoring flag',
  }),
  row({
    variable: 'STOWAGE_GOPRIVATE',
    key: 'goPrivate',
    parse: text,
    fallback: () => null,
    meaning: 'module patterns that skip proxy and checksum database',
  }),
  row({
    variable: 'STOWAGE_NPM_FILE_DEPS_ALLOWLIST',
    key: 'npmFileDepsAllowlist',
    parse: allowlist,
    fallback: () => ({}),
    meaning: 'npm: file: dependencies that are let through, {"package": ["dependency"]}',
  }),
  row({
    variable: 'STOWAGE_YARN_FILE_DEPS_ALLOWLIST',
    key: 'yarnFileDepsAllowlist',
    parse: allowlist,
    fallback: () => ({}),
    meaning: 'the same for yarn',
  }),
  row({
    variable: 'STOWAGE_URL_REWRITES',
    key: 'urlRewrites',
    parse: rewrites,
    fallback: () => [],
    meaning: 'prefix=replacement pairs for other HTTP downloads',
  }),
  row({
    variable: 'STOWAGE_ALLOW_PRIVATE_NETWORKS',
    key: 'allowPrivateNetworks',
    parse: flag,
    fallback: () => false,
    meaning: 'whether sources and URLs may resolve to private addresses',
  }),
  row({
    variable: 'STOWAGE_REQUEST_LIFETIME',
    key: 'requestLifetime',
    parse: duration,
    fallback: () => DAY,
    meaning: 'how long Cachito requests that are complete or in progress are kept after their last change',
  }),
  row({
    variable: 'STOWAGE_REQUEST_LIFETIME_FAILED',
    key: 'requestLifetimeFailed',
    parse: duration,
    fallback: () => 7 * DAY,
    meaning: 'the same for failed and cancelled ones',
  }),
  row({
    variable: 'STOWAGE_NATIVE_REQUEST_LIFETIME',
    key: 'nativeRequestLifetime',
    parse: durationOrNever,
    fallback: () => null,
    meaning: 'how long requests of the own interface are kept after their end, or never: they do not expire',
  }),
  row({
    variable: 'STOWAGE_PRUNE_AGE',
    key: 'pruneAge',
    parse: duration,
    fallback: () => 730 * DAY,
    meaning: 'age of the newest request for a source at which stowage prune removes the source',
  }),
  row({
    variable: 'STOWAGE_PRUNE_MINIMUM_AGE',
    key: 'pruneMinimumAge',
    parse: duration,
    fallback: () => 365 * DAY,
    meaning: 'stowage prune never removes a source with a newer request',
  }),
  row({
    variable: 'STOWAGE_REGISTRY_AUTO_CREATE',
    key: 'registryAutoCreate',
    parse: flag,
    fallback: () => true,
    meaning: 'whether a push by somebody who may manage the project creates the repository',
  }),
  row({
    variable: 'STOWAGE_REGISTRY_ANONYMOUS',
    key: 'registryAnonymous',
    parse: anonymous,
    fallback: () => 'none',
    meaning: 'what anybody may do on /v2: none, pull, push',
  }),
  row({
    variable: 'STOWAGE_REGISTRY_DEFAULT_PROJECT',
    key: 'registryDefaultProject',
    parse: imageNamePart,
    fallback: () => 'library',
    meaning: 'project of images whose name has one part',
  }),
  row({
    variable: 'STOWAGE_REGISTRY_DEFAULT_REPOSITORY',
    key: 'registryDefaultRepository',
    parse: imageNamePart,
    fallback: () => 'images',
    meaning: 'repository of images whose name has one or two parts',
  }),
  row({
    variable: 'STOWAGE_REGISTRY_BLOB_BYTES',
    key: 'registryBlobBytes',
    parse: count(1),
    fallback: () => null,
    meaning: 'most bytes of one pushed blob; no limit when unset',
  }),
  row({
    variable: 'STOWAGE_GARBAGE_GRACE',
    key: 'garbageGraceSeconds',
    parse: count(1, 31_536_000),
    fallback: () => 3600,
    meaning:
      'seconds that blobs and manifests stay which nothing needs any more; longer than any push takes between two calls',
  }),
  row({
    variable: 'STOWAGE_GATEWAY_PROCESSES',
    key: 'gatewayProcesses',
    parse: count(1, 64),
    fallback: () => 1,
    meaning: 'gateways that `stowage serve` starts; they share the port',
  }),
  row({
    variable: 'STOWAGE_LOG_LEVEL',
    key: 'logLevel',
    parse: logLevel,
    fallback: () => 'info',
    meaning: LOG_LEVELS.join(', '),
  }),
  row({
    variable: 'STOWAGE_LIMITS',
    key: 'limits',
    parse: limits,
    fallback: () => ({ ...DEFAULT_LIMITS }),
    meaning: `caps, as name=number pairs: ${Object.keys(DEFAULT_LIMITS).join(', ')}`,
  }),
];

/** Variables that are ours but no settings of a server. */
const CLIENT_VARIABLES = new Set([
  'STOWAGE_URL',
  'STOWAGE_TOKEN',
  'STOWAGE_BUNDLE',
  'STOWAGE_S3_ENDPOINT',
  'STOWAGE_DEPS',
]);

/** Throws InvalidInputError for a value that does not parse and for unknown `STOWAGE_*` names. */
export function readSettings(environment: Environment = process.env): Settings {
  const known = new Set(SETTINGS.map((setting) => setting.variable));
  for (const name of Object.keys(environment)) {
    if (name.startsWith('STOWAGE_') && !known.has(name) && !CLIENT_VARIABLES.has(name)) {
      throw new InvalidInputError(`${name} is not a setting; "stowage config" lists them`);
    }
  }
  const settings: Partial<Settings> = {};
  for (const { variable, key, parse, fallback } of SETTINGS) {
    const value = environment[variable];
    const parsed = value === undefined || value === '' ? fallback(settings) : parse(value, variable);
    Object.assign(settings, { [key]: parsed });
  }
  return settings as Settings;
}
