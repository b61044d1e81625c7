import type { PackageRow } from '../operations/packages.ts';
import type { VersionRow } from '../operations/versions.ts';
import type { RepositoryVariables } from '../parameters/names.ts';
import { extDate } from './dates.ts';

/** An image in the generic API (bkrepo-docker.md 3.1). */
export function packageRecord(
  row: PackageRow,
  { project, repository, type }: RepositoryVariables & { type: string },
) {
  return {
    projectId: project,
    repoName: repository,
    name: row.name,
    key: packageKey({ type }, row.name),
    type,
    latest: row.latest,
    downloads: row.downloads,
    versions: row.versions,
    description: row.description,
    createdBy: row.createdBy ?? '',
    createdDate: extDate(row.createdAt),
    lastModifiedBy: row.modifiedBy ?? '',
    lastModifiedDate: extDate(row.modifiedAt),
  };
}

/** How an image is called in a repository of this type. */
export function packageKey({ type }: { type: string }, name: string): string {
  return `${type.toLowerCase()}://${name}`;
}

/** A tag in the generic API. */
export function versionRecord(row: VersionRow) {
  return {
    name: row.name,
    size: row.size,
    downloads: row.downloads,
    stageTag: row.stages,
    manifestPath: `/${row.package}/manifest/${row.name}/manifest.json`,
    createdBy: row.createdBy ?? '',
    createdDate: extDate(row.createdAt),
    lastModifiedBy: row.modifiedBy ?? '',
    lastModifiedDate: extDate(row.modifiedAt),
    recentlyUseDate: row.lastPulledAt === null ? null : extDate(row.lastPulledAt),
  };
}
