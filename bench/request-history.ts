import pg from 'pg';

export interface HistorySize {
  requests: number;
  /** Of components, for each request that is complete. */
  references: number;
}

/** So many requests get their references in one statement. */
const CHUNK = 10_000;

/**
 * Fills an empty database as if two years of requests had been made: users, projects, repositories, histories, events, logs,
 * packages, and references to components, of which few are in most requests and most in few. Everything that differs by
 * request is there; the bundles are all the same one. Returns how many references there are.
 */
export async function fillHistory(
  url: string,
  { requests, references }: HistorySize,
  say: (text: string) => void,
): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // Nothing is checked row by row, and no trigger runs.
    await client.query(`set session_replication_role = replica; set synchronous_commit = off`);
    await client.query(`set work_mem = '256MB'; set maintenance_work_mem = '512MB'; select setseed(0.5)`);
    const components = Math.max(2_000, Math.ceil(requests / 5));
    const indexes = await withoutIndexes(client);
    for (const statement of TABLES) await client.query(statement(requests, components));
    for (let first = 1; first <= requests; first += CHUNK) {
      await client.query(
        `insert into request_components (component_id, request_id, is_source_package, dev)
         select distinct floor(${components} * power(random(), 3))::bigint + 1, id, false, false
         from bundle_requests, generate_series(1, ${references})
         where id between ${first} and ${first + CHUNK - 1} and state = 'complete'`,
      );
      if ((first - 1) % (10 * CHUNK) === 0)
        say(`  ${Math.min(requests, first - 1 + CHUNK)} of ${requests} requests`);
    }
    say('  indexes');
    for (const statement of indexes) await client.query(statement);
    await client.query('vacuum analyze');
    const { rows } = await client.query<{ count: number }>('select count(*)::float8 from request_components');
    return rows[0]!.count;
  } finally {
    await client.end();
  }
}

const DIGEST = `'sha256:${'0'.repeat(64)}'`;

const TABLES: readonly ((requests: number, components: number) => string)[] = [
  () => `insert into users (name) select 'user-' || n from generate_series(1, 200) n`,
  () =>
    `insert into projects (name, path, visibility)
     select 'project-' || n, 'project-' || n, case n % 2 when 0 then 'public' else 'private' end
     from generate_series(1, 50) n`,
  () =>
    `insert into project_members (project_id, user_id, role)
     select 1 + n % 50, n, 'developer' from generate_series(1, 200) n`,
  () => `insert into blobs (digest, size, crc32) values (${DIGEST}, 1, 0)`,
  () =>
    `insert into bundles (manifest_digest, tar_digest, tar_size, archive_digest, archive_size, writer_version,
       source_member_digest, entries)
     values (${DIGEST}, ${DIGEST}, 1, ${DIGEST}, 1, '1', ${DIGEST}, 1)`,
  (requests) =>
    `insert into bundle_requests (project_id, user_id, submitted_by_id, repository, requested_ref, commit, rules,
       package_managers, state, state_reason, updated_at, version, error, bundle_digest, packages_count,
       dependencies_count, created_at, finished_at)
     select case when n % 2 = 0 then 1 + n % 50 end, 1 + n % 200, 1 + n % 200,
       'https://git.example/team-' || n % 100 || '/app-' || n % 2000, sha, sha,
       case n % 2 when 0 then 'native' else 'cachito' end,
       case when n % 97 = 0 then array['rubygems'] when n % 3 = 0 then array['gomod', 'npm'] else array['npm'] end,
       state, 'as it ended', at + interval '1 minute', 6,
       case when state = 'failed' then jsonb_build_object('code', 'fetch-failed', 'message', 'no', 'details', '{}'::jsonb,
         'errorOrigin', case when n % 7 = 0 then 'server' else 'client' end,
         'errorType', case when n % 131 = 14 then 'GoModError' else 'FetchError' end) end,
       case when state = 'complete' then ${DIGEST} end, 1, 100, at, at + interval '1 minute' * (n % 20)
     from (
       select n, substr(encode(sha256(n::text::bytea), 'hex'), 1, 40) as sha,
         now() - interval '730 days' * ((${requests} - n) / ${requests}::float8) as at,
         case when n % 20 = 1 then 'stale' when n % 13 = 1 then 'failed' when n % 50 = 3 then 'cancelled' else 'complete' end as state
       from generate_series(1, ${requests}) n
     ) r order by n`,
  () =>
    `insert into bundle_request_states (request_id, version, state, reason, at)
     select r.id, v, case v when 6 then r.state else 'in_progress' end, 'reason ' || v, r.created_at + interval '10 seconds' * v
     from bundle_requests r, unnest(array[1, 3, 6]) v order by r.id, v`,
  () =>
    `insert into bundle_request_steps (request_id, task, package_manager, state)
     select r.id, task, manager, 'succeeded' from bundle_requests r,
       (values ('fetch-source', null), ('resolve-packages', 'npm'), ('assemble-bundle', null)) step (task, manager)
     order by r.id`,
  () =>
    `insert into events (subject_type, subject_id, version, type, data, at)
     select 'bundle-request', r.id, v, case when v in (1, 3, 6) then 'state' else 'progress' end, '{"state": "complete"}',
       r.created_at + interval '10 seconds' * v
     from bundle_requests r, generate_series(1, 6) v order by r.id, v`,
  () =>
    `insert into log_streams (subject_type, subject_id, lines, closed, closed_at, compacted_lines, digest)
     select 'bundle-request', id, 100, true, finished_at, 100, ${DIGEST} from bundle_requests order by id`,
  (_, components) =>
    `insert into components (purl, type, name, version)
     select format('pkg:%s/pkg-%s@1.%s.0', type, n / 10, n % 10), type, 'pkg-' || n / 10, '1.' || n % 10 || '.0'
     from (
       select n, (array['npm', 'pypi', 'golang'])[1 + n / 10 % 3] as type from generate_series(1, ${components}) n
     ) c order by n`,
  () =>
    `insert into package_versions (type, name, version) select type, name, version from components order by id`,
  () =>
    `insert into request_packages (request_id, position, package_version_id, path)
     select id, 0, 1 + id % 1000, '.' from bundle_requests where state = 'complete' order by id`,
  (_, components) =>
    `insert into package_dependencies (package_id, position, package_version_id)
     select id, n, 1 + (id * 31 + n * 17) % ${components} from request_packages, generate_series(1, 10) n order by id, n`,
  () => 'truncate tallies',
  () =>
    `insert into tallies (subject_type, kind, state, count, project_id, rules, block)
     select 'bundle-request', 'now', state, count(*), project_id, rules, id / 16384
     from bundle_requests group by state, project_id, rules, id / 16384`,
  () =>
    `insert into tallies (subject_type, kind, state, bucket, count, seconds)
     select 'bundle-request', 'ended', state, duration_bucket(finished_at - created_at), count(*),
       sum(extract(epoch from finished_at - created_at))
     from bundle_requests group by state, 4`,
];

/** Takes the indexes away that are no constraints, and gives back what makes them again: built at the end, they take a fraction of the time. */
async function withoutIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i join pg_class c on c.oid = i.indrelid
     where c.relnamespace = 'public'::regnamespace
       and not exists (select from pg_constraint k where k.conindid = i.indexrelid)`,
  );
  for (const { name } of rows) await client.query(`drop index ${name}`);
  await client.query('alter table request_components drop constraint request_components_pkey');
  return [
    'alter table request_components add primary key (component_id, request_id)',
    ...rows.map(({ definition }) => definition),
  ];
}
