import type { ConfigurationFile, EnvironmentVariable } from '../bundles/bundle-file.ts';
import type { Transaction } from '../database/database.ts';
import { findRegistryPassword } from '../database/sql/package-registries.ts';
import {
  insertConfigurationFiles,
  insertEnvironment,
  type SetupForm,
  selectConfigurationFiles,
  selectEnvironment,
} from '../database/sql/request-setup.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { InvalidInputError } from '../errors.ts';
import { fillInRegistries } from '../package-registries/registry-address.ts';
import type { BundleRequest } from './bundle-request.ts';

/** A file that the consumer lays over the unpacked bundle, with its content as it is sent. */
export interface StoredConfigurationFile extends ConfigurationFile {
  /** Base64; of files added through Cachito's API whatever was sent. */
  encoded: string;
}

/** Which setup of which request, and where its reader finds us. */
export interface SetupQuery {
  request: Pick<BundleRequest, 'id' | 'rules' | 'flags' | 'packageManagers'>;
  /** null: the request's own default. */
  form: SetupForm | null;
  /** Of this service, without a slash at its end. */
  baseUrl: string;
}

/** The form that a request's readers get when they ask for none (cachito.md 4.5). */
export function defaultForm({ rules, flags }: SetupQuery['request']): SetupForm {
  return rules === 'native' || flags.includes('offline-bundle') ? 'offline' : 'registry';
}

/** One variable a name, sorted; of two values the later one counts (cachito.md 1.9). */
export async function readEnvironment(sql: SqlExecutor, query: SetupQuery): Promise<EnvironmentVariable[]> {
  const form = formOf(query);
  const rows = await selectEnvironment(sql, query.request.id, form);
  const fill = await filler(sql, query, form);
  const byName = new Map(rows.map((variable) => [variable.name, variable]));
  return [...byName.values()].map((variable) => ({ ...variable, value: fill(variable.value) }));
}

/** Sorted by path; one path may have several contents (cachito.md 1.10). */
export async function readConfigurationFiles(
  sql: SqlExecutor,
  query: SetupQuery,
): Promise<StoredConfigurationFile[]> {
  const form = formOf(query);
  const rows = await selectConfigurationFiles(sql, query.request.id, form);
  const fill = await filler(sql, query, form);
  return rows.map(({ path, content, encoded }) => {
    const filled = encoded === null ? filledIn(content, fill) : content;
    return { path, content: filled, encoded: encoded ?? filled.toString('base64') };
  });
}

/**
 * Adds variables to both forms of a request. What is there already stays as it is; of the same name with another value
 * both are kept (cachito.md 1.9).
 */
export async function addEnvironment(
  { sql }: Pick<Transaction, 'sql'>,
  requestId: number,
  variables: readonly EnvironmentVariable[],
): Promise<void> {
  for (const form of FORMS) await insertEnvironment(sql, requestId, form, variables);
}

/**
 * Adds files to both forms of a request; `encoded` is meant to be Base64 and kept as it is. Equal paths and contents are
 * kept once, other contents beside each other (cachito.md 1.10).
 */
export async function addConfigurationFiles(
  { sql }: Pick<Transaction, 'sql'>,
  requestId: number,
  files: readonly Pick<StoredConfigurationFile, 'path' | 'encoded'>[],
): Promise<void> {
  const rows = files.map(({ path, encoded }) => {
    const content = Buffer.from(encoded, 'base64');
    return { path, content, encoded: content.toString('base64') === encoded ? null : encoded };
  });
  for (const form of FORMS) await insertConfigurationFiles(sql, requestId, form, rows);
}

const FORMS: readonly SetupForm[] = ['offline', 'registry'];

/** Throws InvalidInputError for a form that the bundle was not made for (cachito.md 4.5). */
function formOf({ request, form }: SetupQuery): SetupForm {
  const wanted = form ?? defaultForm(request);
  const needsFlag = request.rules === 'cachito' && request.packageManagers.includes('rubygems');
  if (wanted === 'offline' && needsFlag && !request.flags.includes('offline-bundle')) {
    throw new InvalidInputError('The request was not made with the offline-bundle flag');
  }
  return wanted;
}

type Filler = (text: string) => string;

async function filler(
  sql: SqlExecutor,
  { request: { id: requestId }, baseUrl }: SetupQuery,
  form: SetupForm,
): Promise<Filler> {
  const password = form === 'registry' ? await findRegistryPassword(sql, requestId) : null;
  if (password === null) return (text) => text;
  return (text) => fillInRegistries(text, { baseUrl, requestId, password });
}

/** Bytes that are no text stay as they are. */
function filledIn(content: Buffer, fill: Filler): Buffer {
  const text = content.toString('latin1');
  const filled = fill(text);
  return filled === text ? content : Buffer.from(filled, 'latin1');
}
