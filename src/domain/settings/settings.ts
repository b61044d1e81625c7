import type { EnvironmentVariable } from '../bundles/bundle-file.ts';
import type { PackageManager } from '../packages/package.ts';
import type { TaskName } from '../queue/tasks.ts';

/** What a process is told by its environment; {@link file://../config.ts} reads it. */
export interface Settings {
  host: string;
  port: number;
  publicUrl: string | null;
  dataDir: string;
  /** null: the embedded PostgreSQL under the data directory. */
  databaseUrl: string | null;
  /** `file:<directory>` or `s3://bucket/prefix`. */
  blobStore: string;
  /** Base URL of an S3 server of one's own; null: AWS. */
  s3Endpoint: string | null;
  /** Whether clients of the registry are sent to the S3 server for large blobs. */
  s3Redirects: boolean;
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
  /** Wrong passwords in a quarter of an hour, of one account and from one address; 0: any number. */
  loginFailures: number;
  loginFailuresPerAddress: number;
  /** Requests a minute from one address; null: any number. */
  requestRate: number | null;
  /** Bytes a second that clients must send or take; 0: any. */
  minimumRate: number;
  /** File of the keys that encrypt credentials in the database; null: they are not encrypted. */
  secretsKey: string | null;
  /** Whether clients may ask for the schema, and are helped with names. */
  graphqlIntrospection: boolean;
  /** File of documents that clients may name; null: none. */
  graphqlOperations: string | null;
  /** Whether those are all that they may send. */
  graphqlOnlyOperations: boolean;
  /** File of the key that signs provenance; null: the one in the data directory. */
  signingKey: string | null;
  packageManagers: PackageManager[];
  defaultPackageManagers: PackageManager[];
  /** Pairs that may not work on the same directory of a Cachito request. */
  mutuallyExclusivePackageManagers: [PackageManager, PackageManager][];
  /** Of Cachito's lists. */
  maxPerPage: number;
  /** Under Cachito's rules: variables that a manager's requests get besides, or with other values than, our own. */
  environmentVariables: Partial<Record<PackageManager, EnvironmentVariable[]>>;
  workerConcurrency: number;
  /** null: all. */
  workerTasks: TaskName[] | null;
  /** Of the tasks that have places of their own in a worker. */
  taskConcurrency: Partial<Record<TaskName, number>>;
  /** How long jobs may still run when their worker stops. */
  drainSeconds: number;
  /** At a time, over all workers; of a user where there is no project. */
  projectRequestConcurrency: number;
  /** That wait or run. */
  projectRequestLimit: number;
  projectBuildLimit: number;
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
  /** Seconds until things are forgotten, see src/domain/retention/rules.ts; null: never. */
  requestRetention: number | null;
  buildRetention: number | null;
  logRetention: number | null;
  eventRetention: number | null;
  auditRetention: number | null;
  deadJobRetention: number | null;
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
  /** Holds copies of base images of other registries. */
  imageCacheProject: string;
  /** Bytes of one pushed blob; null: as many as fit. */
  registryBlobBytes: number | null;
  /** How long blobs and manifests stay that nothing seems to need: a push may be about to name them. */
  garbageGraceSeconds: number;
  builder: Builder;
  buildIsolation: BuildIsolation;
  /** null: the builder's own default. */
  buildkitHost: string | null;
  /** Base of `/v2` for workers; null: what a gateway has announced. */
  registryUrl: string | null;
  /** At a time, in one worker. */
  buildConcurrency: number;
  /** At a time, over all workers. */
  projectBuildConcurrency: number;
  /** Most that one build may take. */
  buildSeconds: number;
  buildMemoryBytes: number;
  buildProcesses: number;
  buildDiskBytes: number;
  /** Bytes of what a build writes that its log keeps. */
  buildLogBytes: number;
  /** Seconds from the end of a build for which its uploaded source is kept. */
  buildSourceLifetime: number;
  /** Bytes of layers kept on a worker for one project. */
  buildCacheBytes: number;
  /** Of base images of other registries. */
  imageMirrors: { prefix: string; replacement: string }[];
  /** A file of credentials for them; null: none. */
  imageAuthFile: string | null;
  /** What the Fandogh CLI is told of newer versions of itself; null: nothing. */
  fandoghLatestVersion: string | null;
  /** Of one uploaded source; `limits.uploadBytes` if that is less. */
  fandoghUploadBytes: number;
  /** How many gateways `stowage serve` starts; they share the port. */
  gatewayProcesses: number;
  logLevel: string;
  /** Whether spans go to a collector, which the variables of OpenTelemetry name. */
  traces: boolean;
  limits: Limits;
}

export type FileDepsAllowlist = Readonly<Record<string, readonly string[]>>;
export const REGISTRY_ANONYMOUS = ['none', 'pull', 'push'] as const;
export type RegistryAnonymous = (typeof REGISTRY_ANONYMOUS)[number];

export const BUILDERS = ['buildah', 'buildkit'] as const;
type Builder = (typeof BUILDERS)[number];
export const BUILD_ISOLATIONS = ['oci', 'chroot'] as const;
type BuildIsolation = (typeof BUILD_ISOLATIONS)[number];

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

const GIB = 1024 ** 3;
export const DEFAULT_LIMITS: Limits = {
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
