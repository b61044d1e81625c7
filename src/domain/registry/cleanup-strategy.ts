import { InvalidInputError } from '../errors.ts';
import { parseRetentionRules, type RetentionRules } from './retention-rules.ts';

/** bk-repo's way to write retention rules: among the settings of a repository's configuration (bkrepo-docker.md 2.2). */
export interface CleanupStrategy {
  enable?: boolean;
  cleanupType?: string;
  cleanupValue?: string | number;
  cleanTargets?: string[];
}

/** Rules that a configuration asks for; undefined: it says nothing of them, null: there are none. Throws InvalidInputError. */
export function rulesInConfiguration(configuration: unknown): RetentionRules | null | undefined {
  const strategy = settingsOf(configuration)?.cleanupStrategy;
  if (strategy === undefined) return undefined;
  if (strategy === null) return null;
  try {
    if (!isObject(strategy)) throw new InvalidInputError('A clean-up strategy is an object');
    return rulesOfCleanupStrategy(strategy);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(error.message, { details: { parameter: 'cleanupStrategy' } });
  }
}

export function withoutCleanupStrategy(configuration: object): object {
  const { cleanupStrategy: _, ...settings } = settingsOf(configuration) ?? {};
  return { ...configuration, settings };
}

/** null: it is switched off. Throws InvalidInputError. */
export function rulesOfCleanupStrategy(strategy: CleanupStrategy): RetentionRules | null {
  const { cleanupType, cleanupValue = '' } = strategy;
  if (!requireSwitch(strategy.enable)) return null;
  const images = requireTexts(strategy.cleanTargets).map((target) => target.replace(/^docker:\/\//, ''));
  const value = typeof cleanupValue === 'string' ? cleanupValue.trim() : cleanupValue;
  const asNumber = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  switch (cleanupType) {
    case 'retentionDays':
      return parseRetentionRules({ images, keepDays: asNumber ?? '' });
    case 'retentionNums':
      return parseRetentionRules({ images, keepLatest: asNumber ?? '' });
    case 'retentionDate':
      return parseRetentionRules({ images, keepSince: value ?? '' });
    default:
      throw new InvalidInputError(`"${cleanupType}" is not a clean-up type`);
  }
}

/** A text would be true whatever it says, and images would go. */
function requireSwitch(enable: unknown): boolean {
  if (enable === undefined || enable === null || typeof enable === 'boolean') return enable ?? false;
  throw new InvalidInputError('enable is true or false');
}

function requireTexts(targets: unknown): string[] {
  if (targets === undefined || targets === null) return [];
  if (Array.isArray(targets) && targets.every((target) => typeof target === 'string')) return targets;
  throw new InvalidInputError('cleanTargets is a list of regular expressions');
}

function settingsOf(configuration: unknown): Record<string, unknown> | null {
  const settings = isObject(configuration) ? configuration.settings : null;
  return isObject(settings) ? settings : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
