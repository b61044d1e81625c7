import type { EnvironmentVariable } from '../../bundles/bundle-file.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** How a consumer finds the dependencies (cachito.md 4.5). */
export type SetupForm = 'offline' | 'registry';

/** By name; of one name in the order in which they came. */
export async function selectEnvironment(
  sql: SqlExecutor,
  requestId: number,
  form: SetupForm,
): Promise<EnvironmentVariable[]> {
  return await sql.query<EnvironmentVariable>(
    `select name, value, kind from bundle_request_environment
     where request_id = $1 and form = $2 order by name collate "C", id`,
    [requestId, form],
  );
}

/** Adds what the request does not have yet. */
export async function insertEnvironment(
  sql: SqlExecutor,
  requestId: number,
  form: SetupForm,
  variables: readonly EnvironmentVariable[],
): Promise<void> {
  await sql.query(
    `insert into bundle_request_environment (request_id, form, name, value, kind)
     select $1, $2, new.name, new.value, new.kind
     from unnest($3::text[], $4::text[], $5::text[]) with ordinality as new (name, value, kind, position)
     where not exists (
       select from bundle_request_environment present
       where present.request_id = $1 and present.form = $2 and present.name = new.name
         and present.value = new.value and present.kind = new.kind
     )
     order by new.position`,
    [
      requestId,
      form,
      variables.map(({ name }) => name),
      variables.map(({ value }) => value),
      variables.map(({ kind }) => kind),
    ],
  );
}

export interface ConfigurationFileRow {
  path: string;
  content: Buffer;
  /** null: the Base64 of the content. */
  encoded: string | null;
}

/** By path; of one path in the order in which they came. */
export async function selectConfigurationFiles(
  sql: SqlExecutor,
  requestId: number,
  form: SetupForm,
): Promise<ConfigurationFileRow[]> {
  return await sql.query<ConfigurationFileRow>(
    `select path, content, encoded from bundle_request_configuration_files
     where request_id = $1 and form = $2 order by path collate "C", id`,
    [requestId, form],
  );
}

/** Adds what the request does not have yet. */
export async function insertConfigurationFiles(
  sql: SqlExecutor,
  requestId: number,
  form: SetupForm,
  files: readonly ConfigurationFileRow[],
): Promise<void> {
  const starts = [0];
  for (const { content } of files) starts.push(starts.at(-1)! + content.length);
  await sql.query(
    `insert into bundle_request_configuration_files (request_id, form, path, content, encoded)
     select $1, $2, new.path, new.content, new.encoded
     from (
       select distinct on (path, content, encoded) *
       from (
         select path, substring($4::bytea from start + 1 for length) as content, encoded, position
         from unnest($3::text[], $5::int[], $6::int[], $7::text[]) with ordinality
           as one (path, start, length, encoded, position)
       ) as given
       order by path, content, encoded, position
     ) as new
     where not exists (
       select from bundle_request_configuration_files present
       where present.request_id = $1 and present.form = $2 and present.path = new.path
         and present.content = new.content and present.encoded is not distinct from new.encoded
     )
     order by new.position`,
    [
      requestId,
      form,
      files.map(({ path }) => path),
      // In one piece: an array of bytes would have to be sent as text.
      Buffer.concat(files.map(({ content }) => content)),
      starts.slice(0, -1),
      files.map(({ content }) => content.length),
      files.map(({ encoded }) => encoded),
    ],
  );
}
