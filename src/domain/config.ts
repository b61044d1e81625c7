import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
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
  packageManagers: PackageManager[];
  defaultPackageManagers: PackageManager[];
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
  goToolchainDownloads: boolean;
  goPrivate: string | null;
  urlRewrites: { prefix: string; replacement: string }[];
  allowPrivateNetworks: boolean;
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
    parse: words,
    fallback: () => [],
    meaning: "who may use Cachito's worker endpoints",
  }),
  row({
    variable: 'STOWAGE_USER_REPRESENTATIVES',
    key: 'userRepresentatives',
    parse: words,
    fallback: () => [],
    meaning: 'who may submit on behalf of others',
  }),
  row({
    variable: 'STOWAGE_TRUSTED_PROXIES',
    key: 'trustedProxies',
    parse: words,
    fallback: () => [],
    meaning: 'addresses whose identity headers are believed',
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
    variable: 'STOWAGE_GO_TOOLCHAIN_DOWNLOADS',
    key: 'goToolchainDownloads',
    parse: flag,
    fallback: () => true,
    meaning: 'whether go may fetch a newer toolchain that go.mod asks for',
  }),
  row({
    variable: 'STOWAGE_GOPRIVATE',
    key: 'goPrivate',
    parse: text,
    fallback: () => null,
    meaning: 'module patterns that skip proxy and checksum database',
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
