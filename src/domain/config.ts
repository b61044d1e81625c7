import { readFileSync } from 'node:fs';
import { InvalidInputError } from './errors.ts';
import { BUILD_SETTINGS } from './settings/build-settings.ts';
import { PACKAGE_SETTINGS } from './settings/package-settings.ts';
import { QUEUE_SETTINGS } from './settings/queue-settings.ts';
import { SERVICE_SETTINGS } from './settings/service-settings.ts';
import type { SettingRow } from './settings/setting-row.ts';
import type { Settings } from './settings/settings.ts';
import { STORAGE_SETTINGS } from './settings/storage-settings.ts';

export type { FileDepsAllowlist, Limits, RegistryAnonymous, Settings } from './settings/settings.ts';

/**
 * The settings of DESIGN section 3. Read once per process from the environment; `stowage config` prints them.
 * Every `STOWAGE_*` variable has one row in {@link SETTINGS}; unknown names are an error.
 */
export const SETTINGS: readonly SettingRow[] = [
  ...SERVICE_SETTINGS,
  ...PACKAGE_SETTINGS,
  ...STORAGE_SETTINGS,
  ...BUILD_SETTINGS,
  ...QUEUE_SETTINGS,
];

/** Variables that are ours but no settings of a server. */
const CLIENT_VARIABLES = new Set(['STOWAGE_URL', 'STOWAGE_TOKEN', 'STOWAGE_BUNDLE', 'STOWAGE_DEPS']);

type Environment = Record<string, string | undefined>;

/**
 * Throws InvalidInputError for a value that does not parse and for unknown `STOWAGE_*` names. A secret may stand in a file
 * that the variable with `_FILE` behind its name says.
 */
export function readSettings(environment: Environment = process.env): Settings {
  const known = new Set(
    SETTINGS.flatMap(({ variable, secret }) => (secret ? [variable, `${variable}_FILE`] : [variable])),
  );
  for (const name of Object.keys(environment)) {
    if (name.startsWith('STOWAGE_') && !known.has(name) && !CLIENT_VARIABLES.has(name)) {
      throw new InvalidInputError(`${name} is not a setting; "stowage config" lists them`);
    }
  }
  const settings: Partial<Settings> = {};
  for (const { variable, key, parse, fallback, secret } of SETTINGS) {
    const value = environment[variable] || (secret ? contentOf(environment, `${variable}_FILE`) : undefined);
    const parsed = value === undefined || value === '' ? fallback(settings) : parse(value, variable);
    Object.assign(settings, { [key]: parsed });
  }
  return settings as Settings;
}

/** Without the end of its line. */
function contentOf(environment: Environment, variable: string): string | undefined {
  const path = environment[variable];
  if (path === undefined || path === '') return undefined;
  let content: string;
  try {
    content = readFileSync(path, 'utf8').trimEnd();
  } catch (error) {
    throw new InvalidInputError(
      `${variable}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  if (content === '') throw new InvalidInputError(`${variable}: ${path} is empty`);
  return content;
}
