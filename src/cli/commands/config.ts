import { Command } from 'commander';
import { readSettings, SETTINGS, type Settings } from '../../domain/config.ts';
import { maskCredentials } from '../../workers/downloads/mask-credentials.ts';
import { printTable } from '../print-table.ts';

export interface EffectiveSetting {
  name: string;
  value: unknown;
  source: 'default' | 'environment';
  meaning: string;
}

export function configCommand(): Command {
  return new Command('config')
    .description('print the effective settings')
    .option('--json', 'as JSON, with what each setting means')
    .action((options: { json?: boolean }) => {
      const rows = effectiveSettings(readSettings(), process.env);
      if (options.json) {
        process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
        return;
      }
      printTable(
        ['NAME', 'SOURCE', 'VALUE'],
        rows.map((row) => [row.name, row.source, asText(row.value)]),
      );
    });
}

/** Secrets never leave: neither those of secret settings nor those inside of URLs. */
export function effectiveSettings(
  settings: Settings,
  environment: Record<string, string | undefined>,
): EffectiveSetting[] {
  return SETTINGS.map(({ variable, key, secret, meaning }) => ({
    name: variable,
    value: masked(settings[key], secret ?? false),
    source: environment[variable] || (secret && environment[`${variable}_FILE`]) ? 'environment' : 'default',
    meaning,
  }));
}

function masked(value: unknown, secret: boolean): unknown {
  if (value === null) return null;
  if (typeof value === 'string') {
    // Of a database URL all but the password is worth seeing.
    if (URL.canParse(value) && /^\w+:\/\//.test(value)) return maskCredentials(value);
    return secret ? '***' : maskCredentials(value);
  }
  if (Array.isArray(value)) return value.map((item) => masked(item, secret));
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, secret)]));
  }
  return value;
}

/** Pairs stand together, as they are set. */
function asItem(value: unknown): string {
  return Array.isArray(value) ? value.join('/') : asText(value);
}

function asText(value: unknown): string {
  if (value === null) return '–';
  if (Array.isArray(value)) return value.length === 0 ? '–' : value.map(asItem).join(' ');
  if (typeof value === 'object') {
    const entries = Object.entries(value as Record<string, unknown>);
    const { prefix, replacement } = value as { prefix?: string; replacement?: string };
    if (prefix !== undefined) return `${prefix}=${replacement}`;
    return entries.map(([key, item]) => `${key}=${String(item)}`).join(' ') || '–';
  }
  return String(value);
}
