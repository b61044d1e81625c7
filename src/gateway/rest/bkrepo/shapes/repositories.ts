import type { RepositoryRow } from '../operations/repositories.ts';
import type { Paging } from '../parameters/paging.ts';
import { extDate } from './dates.ts';

/** bkrepo-docker.md 2.2 */
export function repositoryRecord(repository: RepositoryRow) {
  return {
    projectId: repository.project.name,
    name: repository.name,
    type: repository.type,
    category: repository.category,
    public: repository.isPublic,
    displayName: repository.displayName,
    description: repository.description,
    configuration: repository.configuration,
    createdBy: repository.createdBy?.name ?? '',
    createdDate: extDate(repository.createdAt),
    lastModifiedBy: repository.modifiedBy?.name ?? '',
    lastModifiedDate: extDate(repository.modifiedAt),
    quota: repository.quota,
    used: repository.used,
  };
}

/** Pages of the generic API. */
export function genericPage<Row>({ page, size }: Paging, total: number, records: Row[]) {
  return {
    pageNumber: page,
    pageSize: size,
    totalRecords: total,
    totalPages: Math.ceil(total / size),
    records,
  };
}
