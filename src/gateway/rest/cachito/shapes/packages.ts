import type { PackageReport } from '../../../../domain/bundle-requests/report.ts';
import type { Dependency } from '../../../../domain/packages/package.ts';
import { packageKeys } from './request.ts';

/** `/requests/{id}/packages`: as recorded, so without a `replaces` that says nothing (cachito.md 1.16). */
export function recordedPackages({ packages, dependencies }: PackageReport): object {
  return {
    packages: packages.map((one) => ({
      ...packageKeys(one),
      dependencies: one.dependencies.map(recordedDependency),
    })),
    dependencies: dependencies.map(recordedDependency),
  };
}

function recordedDependency({ name, type, version, replaces, dev }: Dependency): object {
  return {
    name,
    type,
    version,
    ...(replaces !== null && { replaces }),
    ...(dev !== undefined && { dev }),
  };
}
