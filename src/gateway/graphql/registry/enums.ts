import { REPOSITORY_CATEGORIES, REPOSITORY_TYPES } from '../../../domain/database/sql/repository-rows.ts';
import { STAGES } from '../../../domain/registry/stages.ts';
import { builder } from '../builder.ts';

function valuesOf<const Name extends string>(names: readonly Name[]) {
  return Object.fromEntries(
    names.map((name) => [name.replace('@', '').toUpperCase().replaceAll('-', '_'), { value: name }]),
  ) as Record<string, { value: Name }>;
}

export const RepositoryTypeEnum = builder.enumType('RepositoryType', { values: valuesOf(REPOSITORY_TYPES) });

export const RepositoryCategoryEnum = builder.enumType('RepositoryCategory', {
  description: 'Where its images come from. LOCAL and COMPOSITE take pushes.',
  values: valuesOf(REPOSITORY_CATEGORIES),
});

export const StageEnum = builder.enumType('Stage', {
  description: 'What a tag was promoted to, in this order.',
  values: valuesOf(STAGES),
});

export const BlobRoleEnum = builder.enumType('BlobRole', { values: valuesOf(['config', 'layer']) });

export const SbomStateEnum = builder.enumType('AttachedSbomState', {
  values: valuesOf(['queued', 'read', 'failed']),
});
