import type { Settings } from './settings.ts';
import type { Parser } from './values.ts';

/** One setting: its variable, what its text means, and what counts when it is unset. */
export interface SettingRow<K extends keyof Settings = keyof Settings> {
  variable: string;
  key: K;
  parse: Parser<Settings[K]>;
  fallback: (settings: Partial<Settings>) => Settings[K];
  /** Printed masked. */
  secret?: boolean;
  meaning: string;
}

export function row<K extends keyof Settings>(definition: SettingRow<K>): SettingRow {
  return definition as unknown as SettingRow;
}
