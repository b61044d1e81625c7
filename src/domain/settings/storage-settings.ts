import { row, type SettingRow } from './setting-row.ts';
import { DEFAULT_LIMITS, REGISTRY_ANONYMOUS } from './settings.ts';
import {
  count,
  DAY,
  duration,
  durationOrNever,
  flag,
  imageNamePart,
  LOG_LEVELS,
  limits,
  logLevel,
  oneOf,
} from './values.ts';

/** How long things are kept, the registry of images, and caps. */
export const STORAGE_SETTINGS: readonly SettingRow[] = [
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
    parse: oneOf(REGISTRY_ANONYMOUS),
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
    variable: 'STOWAGE_IMAGE_CACHE_PROJECT',
    key: 'imageCacheProject',
    parse: imageNamePart,
    fallback: () => 'upstream',
    meaning: 'project for copies of base images of other registries',
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
