import type { ProjectRow } from '../operations/projects.ts';
import { extDate } from './dates.ts';

/** bkrepo-docker.md 2.2 */
export function projectRecord(project: ProjectRow) {
  return {
    name: project.name,
    displayName: project.displayName ?? project.name,
    description: project.description,
    createdBy: project.createdBy?.name ?? '',
    createdDate: extDate(project.createdAt),
    lastModifiedBy: project.modifiedBy?.name ?? '',
    lastModifiedDate: extDate(project.modifiedAt),
  };
}
