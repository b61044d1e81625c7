import { insertPackageVersions } from '../../src/domain/database/sql/insert-dictionaries.ts';
import { insertRequestPackages } from '../../src/domain/database/sql/insert-request-packages.ts';
import type { SqlExecutor } from '../../src/domain/database/sql-executor.ts';
import type { ResolvedPackage } from '../../src/domain/packages/package.ts';
import { uniqueDependencies } from '../../src/domain/packages/reported-packages.ts';

/** A request as it lies in the database: every time and every state as a test wants them. */
export interface StoredRequest {
  repository?: string | null;
  ref?: string;
  rules?: 'cachito' | 'native';
  packageManagers?: string[];
  flags?: string[];
  user?: string;
  submittedBy?: string;
  project?: string;
  /** Oldest first: state, reason, time. The last one is the state that it is in. */
  states?: [state: string, reason: string, at: string][];
  error?: { errorOrigin: string; errorType: string };
  /** Complete requests have a list of packages, if none then an empty one; null: data are lost. */
  packages?: ResolvedPackage[] | null;
  environment?: { name: string; value: string; kind: 'path' | 'literal' }[];
  configurationFiles?: { path: string; content: string }[];
  logLines?: number;
}

export const COMMIT = 'a'.repeat(40);

export const BEGUN: [string, string, string] = [
  'in_progress',
  'The request was initiated',
  '2021-07-07T18:02:35.149979Z',
];
export const DONE: [string, string, string] = [
  'complete',
  'Completed successfully',
  '2021-07-07T18:02:37.000000Z',
];

const DIGEST = `sha256:${'0'.repeat(64)}`;

/** Stores a request; its number. */
export async function storeRequest(sql: SqlExecutor, request: StoredRequest = {}): Promise<number> {
  const states = request.states ?? [BEGUN, DONE];
  const [state, reason, updatedAt] = states.at(-1)!;
  const packages = state === 'complete' ? (request.packages ?? null) : null;
  const hasBundle = state === 'complete' && request.packages !== null;
  const hasEnded = state !== 'in_progress';
  await storeBundle(sql);
  const [row] = await sql.query<{ id: number }>(
    `insert into bundle_requests (repository, requested_ref, commit, rules, package_managers, flags, user_id,
       submitted_by_id, project_id, state, state_reason, created_at, updated_at, finished_at, error, bundle_digest,
       packages_count, dependencies_count, version)
     values ($1, $2, $2, $3, $4, $5, (select id from users where name = $6), (select id from users where name = $7),
       (select id from projects where name = $8), $9, $10, $11, $12, $13, $14::jsonb, $15, $16, $17, $18)
     returning id`,
    [
      request.repository === undefined ? 'https://git.example/org/app.git' : request.repository,
      request.ref ?? COMMIT,
      request.rules ?? 'cachito',
      request.packageManagers ?? ['npm'],
      request.flags ?? [],
      request.user ?? null,
      request.submittedBy ?? null,
      request.project ?? null,
      state,
      reason,
      states[0]![2],
      updatedAt,
      hasEnded ? updatedAt : null,
      request.error ? JSON.stringify(request.error) : null,
      hasBundle ? DIGEST : null,
      packages?.length ?? null,
      packages === null ? null : uniqueDependencies(packages).length,
      states.length,
    ],
  );
  const { id } = row!;
  for (const [at, one] of states.entries()) {
    await sql.query(
      'insert into bundle_request_states (request_id, version, state, reason, at) values ($1, $2, $3, $4, $5)',
      [id, at + 1, ...one],
    );
  }
  if (packages !== null) {
    await insertPackageVersions(sql, packages);
    await insertRequestPackages(sql, id, packages);
  }
  await storeSetup(sql, id, request);
  if (request.logLines !== undefined) await storeLog(sql, id, request.logLines);
  return id;
}

async function storeSetup(sql: SqlExecutor, id: number, request: StoredRequest): Promise<void> {
  for (const { name, value, kind } of request.environment ?? []) {
    await sql.query(
      `insert into bundle_request_environment (request_id, form, name, value, kind)
       values ($1, 'registry', $2, $3, $4)`,
      [id, name, value, kind],
    );
  }
  for (const { path, content } of request.configurationFiles ?? []) {
    await sql.query(
      `insert into bundle_request_configuration_files (request_id, form, path, content)
       values ($1, 'registry', $2, $3)`,
      [id, path, Buffer.from(content)],
    );
  }
}

async function storeLog(sql: SqlExecutor, id: number, lines: number): Promise<void> {
  await sql.query(
    `with stream as (
       insert into log_streams (subject_type, subject_id, lines, closed) values ('bundle-request', $1, $2, true)
       returning id
     )
     insert into log_pages (stream_id, first_number, last_number, lines)
     select id, 1, $2, (
       select json_build_array(json_build_array(1625680955123, 'info', 'resolve-packages.npm',
         json_agg('line ' || number)))
       from generate_series(1, $2) as number
     )
     from stream where $2 > 0`,
    [id, lines],
  );
}

async function storeBundle(sql: SqlExecutor): Promise<void> {
  await sql.query('insert into blobs (digest, size, crc32) values ($1, 1, 0) on conflict do nothing', [
    DIGEST,
  ]);
  await sql.query(
    `insert into bundles (manifest_digest, tar_digest, tar_size, archive_digest, archive_size, writer_version,
       source_member_digest, entries)
     values ($1, $1, 1, $1, 1, '1', $1, 1) on conflict do nothing`,
    [DIGEST],
  );
}
