import { REPOSITORY_CATEGORIES } from '../../../../domain/database/sql/repository-rows.ts';
import {
  type CleanupStrategy,
  type RetentionRules,
  rulesOfCleanupStrategy,
} from '../../../../domain/registry/retention-rules.ts';
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

/** The clean-up among the settings of a configuration; undefined: it says nothing of it, null: there is none. */
export function retentionOf({ configuration }: RepositoryChanges): RetentionRules | null | undefined {
  const strategy = objectIn(objectIn(configuration, 'settings'), 'cleanupStrategy');
  if (strategy === undefined) return undefined;
  try {
    return rulesOfCleanupStrategy(strategy as CleanupStrategy);
  } catch {
    throw new BkrepoError('PARAMETER_INVALID', 'cleanupStrategy');
  }
}

function objectIn(value: object | undefined, name: string): object | undefined {
  const field = value === undefined ? undefined : (value as Record<string, unknown>)[name];
  return typeof field === 'object' && field !== null && !Array.isArray(field) ? field : undefined;
}
