import type { CachitoRoute } from '../route.ts';
import { addConfigurationFiles } from './add-configuration-files.ts';
import { downloadArchive } from './download-archive.ts';
import { listRequests } from './list-requests.ts';
import { readConfigurationFiles } from './read-configuration-files.ts';
import { readContentManifest } from './read-content-manifest.ts';
import { readContentManifests } from './read-content-manifests.ts';
import { readEnvironmentVariables } from './read-environment-variables.ts';
import { readLatestRequest } from './read-latest-request.ts';
import { readLogs } from './read-logs.ts';
import { readMetricsSummary } from './read-metrics-summary.ts';
import { readOpenapiJson, readOpenapiYaml } from './read-openapi.ts';
import { readPackages } from './read-packages.ts';
import { readRequest } from './read-request.ts';
import { readRequestMetrics } from './read-request-metrics.ts';
import { readRequestSbom } from './read-request-sbom.ts';
import { readSboms } from './read-sboms.ts';
import { readShortStatus, readStatus } from './read-status.ts';
import { submitRequest } from './submit-request.ts';
import { updateRequest } from './update-request.ts';

/** Every call of the dialect (cachito.md 1.3). */
export const ROUTES: readonly CachitoRoute[] = [
  readStatus,
  readShortStatus,
  listRequests,
  readLatestRequest,
  readRequest,
  readConfigurationFiles,
  readEnvironmentVariables,
  readPackages,
  readContentManifest,
  readRequestSbom,
  downloadArchive,
  readLogs,
  readContentManifests,
  readSboms,
  readRequestMetrics,
  readMetricsSummary,
  readOpenapiJson,
  readOpenapiYaml,
  submitRequest,
  updateRequest,
  addConfigurationFiles,
];
