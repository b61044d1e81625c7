import { storedOperation } from '../../../graphql/run-operation.ts';
import type { ImageVariables, RepositoryVariables } from '../parameters/names.ts';
import type { Paging } from '../parameters/paging.ts';

export interface PackageRow {
  name: string;
  description: string;
  downloads: number;
  latest: string;
  versions: number;
  createdBy: string | null;
  createdAt: string;
  modifiedBy: string | null;
  modifiedAt: string;
}

const PACKAGE = `
  fragment PackageRow on ImagePackage {
    name description downloads latest versions createdBy createdAt modifiedBy modifiedAt
  }`;

export const PACKAGES = storedOperation<
  { namedRepository: { type: string }; imagePackages: { total: number; rows: PackageRow[] } },
  RepositoryVariables & Paging & { name?: string | null }
>(`
  query Packages($project: String!, $repository: String!, $page: Int!, $size: Int!, $name: String) {
    namedRepository(project: $project, name: $repository) { type }
    imagePackages(project: $project, repository: $repository, page: $page, size: $size, name: $name) {
      total
      rows { ...PackageRow }
    }
  }
  ${PACKAGE}
`);

export const PACKAGE_INFO = storedOperation<
  { namedRepository: { type: string }; imagePackage: PackageRow | null },
  ImageVariables
>(`
  query PackageInfo($project: String!, $repository: String!, $image: String!) {
    namedRepository(project: $project, name: $repository) { type }
    imagePackage(project: $project, repository: $repository, image: $image) { ...PackageRow }
  }
  ${PACKAGE}
`);

export const MANIFEST = storedOperation<
  { storedManifest: { text: string } | null },
  ImageVariables & { reference: string }
>(`
  query StoredManifest($project: String!, $repository: String!, $image: String!, $reference: String!) {
    storedManifest(project: $project, repository: $repository, image: $image, reference: $reference) { text }
  }
`);
