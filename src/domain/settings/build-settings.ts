import { availableParallelism } from 'node:os';
import { row, type SettingRow } from './setting-row.ts';
import { BUILD_ISOLATIONS, BUILDERS } from './settings.ts';
import { baseUrl, count, DAY, duration, oneOf, readableFile, rewrites, text } from './values.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Builds of images: what builds them, how many at a time, and within which bounds. */
export const BUILD_SETTINGS: readonly SettingRow[] = [
  row({
    variable: 'STOWAGE_BUILDER',
    key: 'builder',
    parse: oneOf(BUILDERS),
    fallback: () => 'buildah',
    meaning: 'what builds images: buildah, buildkit',
  }),
  row({
    variable: 'STOWAGE_BUILD_ISOLATION',
    key: 'buildIsolation',
    parse: oneOf(BUILD_ISOLATIONS),
    fallback: () => 'oci',
    meaning: 'of the steps of a build: oci, or chroot where no OCI runtime works',
  }),
  row({
    variable: 'STOWAGE_BUILDKIT_HOST',
    key: 'buildkitHost',
    parse: text,
    fallback: () => null,
    meaning: 'address of buildkitd or of a Docker engine, for the builder buildkit',
  }),
  row({
    variable: 'STOWAGE_REGISTRY_URL',
    key: 'registryUrl',
    parse: baseUrl,
    fallback: () => null,
    meaning: 'where workers reach /v2 of the gateways; what a gateway has announced when unset',
  }),
  row({
    variable: 'STOWAGE_BUILD_CONCURRENCY',
    key: 'buildConcurrency',
    parse: count(1, 1000),
    fallback: () => availableParallelism(),
    meaning: 'builds at a time in one worker, beside its other jobs',
  }),
  row({
    variable: 'STOWAGE_PROJECT_BUILD_CONCURRENCY',
    key: 'projectBuildConcurrency',
    parse: count(1, 1000),
    fallback: () => 4,
    meaning: 'builds at a time of one project; others wait',
  }),
  row({
    variable: 'STOWAGE_BUILD_SECONDS',
    key: 'buildSeconds',
    parse: count(1, 7 * DAY),
    fallback: () => 3600,
    meaning: 'most seconds for one build',
  }),
  row({
    variable: 'STOWAGE_BUILD_MEMORY_BYTES',
    key: 'buildMemoryBytes',
    parse: count(16 * MIB),
    fallback: () => 4 * GIB,
    meaning: 'most memory for the steps of one build',
  }),
  row({
    variable: 'STOWAGE_BUILD_PROCESSES',
    key: 'buildProcesses',
    parse: count(16, 1_000_000),
    fallback: () => 4096,
    meaning: 'most processes of one build',
  }),
  row({
    variable: 'STOWAGE_BUILD_DISK_BYTES',
    key: 'buildDiskBytes',
    parse: count(16 * MIB),
    fallback: () => 32 * GIB,
    meaning: 'most bytes that one build may write',
  }),
  row({
    variable: 'STOWAGE_BUILD_LOG_BYTES',
    key: 'buildLogBytes',
    parse: count(1024),
    fallback: () => 64 * MIB,
    meaning: 'bytes of output that are kept of one build',
  }),
  row({
    variable: 'STOWAGE_BUILD_SOURCE_LIFETIME',
    key: 'buildSourceLifetime',
    parse: duration,
    fallback: () => 30 * DAY,
    meaning: 'how long the uploaded source of a build is kept after its end: so long it can be retried',
  }),
  row({
    variable: 'STOWAGE_BUILD_CACHE_BYTES',
    key: 'buildCacheBytes',
    parse: count(0),
    fallback: () => 20 * GIB,
    meaning: 'bytes of layers that a worker keeps for the next builds of one project',
  }),
  row({
    variable: 'STOWAGE_IMAGE_MIRRORS',
    key: 'imageMirrors',
    parse: rewrites,
    fallback: () => [],
    meaning: 'prefix=replacement pairs for names of base images of other registries: mirrors, tried first',
  }),
  row({
    variable: 'STOWAGE_IMAGE_AUTH_FILE',
    key: 'imageAuthFile',
    parse: readableFile,
    fallback: () => null,
    meaning: "credentials for base images of other registries, a config.json of docker's, with its helpers",
  }),
];
