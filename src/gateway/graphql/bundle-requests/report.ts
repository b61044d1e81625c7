import type { BundleRequest } from '../../../domain/bundle-requests/bundle-request.ts';
import { readPackageReport, readReport } from '../../../domain/bundle-requests/report.ts';
import { contentManifest } from '../../../domain/bundles/content-manifest.ts';
import { reportedComponents } from '../../../domain/bundles/reported-components.ts';
import type { SchemaTypes } from '../builder.ts';

type RequestFields = PothosSchemaTypes.ObjectFieldBuilder<
  PothosSchemaTypes.ExtendDefaultTypes<SchemaTypes>,
  BundleRequest
>;

/** Everything that a request reports, at once: an object for each of a thousand dependencies would cost its readers. */
export function reportFields(t: RequestFields) {
  return {
    packageReport: t.field({
      type: 'JSON',
      description: 'All packages and dependencies as they are reported. Null when the request has none.',
      complexity: REPORT_COST,
      resolve: (request, _args, { database }) => readPackageReport(database.sql, request),
    }),
    contentManifest: t.field({
      type: 'JSON',
      nullable: false,
      description: 'The image content manifest (ICM); without contents unless the request is complete.',
      complexity: REPORT_COST,
      resolve: async (request, _args, { database }) =>
        contentManifest([await readReport(database.sql, request)]),
    }),
    reportedComponents: t.field({
      type: 'JSON',
      nullable: false,
      description: 'Name, purl and version of all packages and dependencies.',
      complexity: REPORT_COST,
      resolve: async (request, _args, { database }) =>
        reportedComponents(await readReport(database.sql, request)),
    }),
  };
}

const REPORT_COST = 50;
