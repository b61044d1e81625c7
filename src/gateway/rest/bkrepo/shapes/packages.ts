import type { PackageRow } from '../operations/packages.ts';
import { apiDate, extDate } from './dates.ts';

/** Both spellings of the total: the documents have the first, every server the second (bkrepo-docker.md 1.4). */
export function extPage<Row>(total: number, records: Row[]) {
  return { toatalRecords: total, totalRecords: total, records };
}

/** An image in the list of `/docker/ext`. */
export function extImage({ name, modifiedBy, modifiedAt, downloads, description }: PackageRow) {
  return {
    name,
    lastModifiedBy: modifiedBy ?? '',
    lastModifiedDate: extDate(modifiedAt),
    downloadCount: downloads,
    logoUrl: '',
    description,
  };
}

/** An image in the list of `/docker/api`. */
export function apiImage({ name, createdBy, createdAt, downloads }: PackageRow) {
  return { name, createdBy: createdBy ?? '', downloadCount: downloads, createdDate: apiDate(createdAt) };
}
