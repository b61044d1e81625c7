import { REPOSITORY_CATEGORIES } from '../../../../domain/database/sql/repository-rows.ts';
import { BkrepoError } from '../errors.ts';
import type { RepositoryChanges } from '../operations/repositories.ts';
import type { RequestBody } from './body.ts';

/** What a body says of a repository; what it does not say stays (bkrepo-docker.md 2.2). */
export function changesOf(body: RequestBody): RepositoryChanges {
  const given = {
    isPublic: body.flag('public'),
    displayName: body.text('displayName'),
    description: body.text('description'),
    configuration: configurationOf(body),
    quota: body.bytes('quota'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

const CONFIGURATION_TYPES: readonly unknown[] = REPOSITORY_CATEGORIES.map((category) =>
  category.toLowerCase(),
);

function configurationOf(body: RequestBody): object | null {
  const configuration = body.object('configuration');
  const { type = null } = (configuration ?? {}) as { type?: unknown };
  if (type === null || CONFIGURATION_TYPES.includes(type)) return configuration;
  throw new BkrepoError('PARAMETER_INVALID', 'configuration');
}
