-- The foundation: identity, bytes, sources, bundle requests, packages, events, logs, workers.

-- Identity ------------------------------------------------------------------------------------------------------------

create table users (
  id bigint generated always as identity primary key,
  name text not null unique,
  -- null: this user can log in with tokens only
  password_hash text,
  is_admin boolean not null default false,
  created_at timestamptz not null default now(),
  disabled_at timestamptz
);

create table tokens (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  name text not null,
  -- sha256 of the secret: tokens are long and random, so no slow hash is needed
  secret_hash bytea not null unique,
  scopes text[] not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  unique (user_id, name)
);

create table projects (
  id bigint generated always as identity primary key,
  name text not null unique,
  -- public: everybody may read
  visibility text not null default 'private' check (visibility in ('private', 'public')),
  created_at timestamptz not null default now()
);

create table project_members (
  project_id bigint not null references projects on delete cascade,
  user_id bigint not null references users on delete cascade,
  role text not null check (role in ('viewer', 'developer', 'owner')),
  created_at timestamptz not null default now(),
  primary key (project_id, user_id)
);
create index on project_members (user_id);

-- Bytes ---------------------------------------------------------------------------------------------------------------

-- Every blob that something names. A blob in the store without a row is garbage.
create table blobs (
  digest text primary key,
  size bigint not null,
  crc32 bigint not null,
  created_at timestamptz not null default now()
);

-- Dependency files by what they are; see src/workers/downloads/artifact-store.ts.
create table artifacts (
  key text primary key,
  url text not null,
  digest text not null references blobs,
  digests jsonb not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now()
);
create index on artifacts (digest);

-- Who fetches an artefact just now, so that two workers do not fetch it twice.
create table artifact_claims (
  key text primary key,
  claimed_by text not null,
  claimed_at timestamptz not null default now()
);

-- Sources -------------------------------------------------------------------------------------------------------------

create table source_snapshots (
  id bigint generated always as identity primary key,
  -- canonical URL with host and port; see src/workers/git/repository-cache.ts
  origin text not null,
  commit text not null,
  submodules boolean not null default false,
  tree_id text not null,
  commit_time bigint not null,
  index_digest text not null references blobs,
  pack_digest text not null references blobs,
  size bigint not null,
  files integer not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  unique (origin, commit, submodules)
);
create index on source_snapshots (index_digest);
create index on source_snapshots (pack_digest);

create table repository_tags (
  origin text not null,
  commit text not null,
  tags jsonb not null,
  created_at timestamptz not null default now(),
  primary key (origin, commit)
);

create table uploads (
  id bigint generated always as identity primary key,
  user_id bigint references users,
  file_name text not null,
  digest text not null references blobs,
  size bigint not null,
  created_at timestamptz not null default now()
);
create index on uploads (digest);

-- Bundles -------------------------------------------------------------------------------------------------------------

create table bundles (
  -- digest of the bundle manifest, which is itself a blob: the bundle's identity
  manifest_digest text primary key references blobs (digest),
  tar_digest text not null,
  tar_size bigint not null,
  archive_digest text not null,
  archive_size bigint not null,
  writer_version text not null,
  source_member_digest text not null references blobs (digest),
  entries integer not null,
  created_at timestamptz not null default now(),
  -- set when a part was found changed: the bundle is not served any more
  damaged_at timestamptz
);
create index on bundles (source_member_digest);

create table bundle_blobs (
  manifest_digest text not null references bundles on delete cascade,
  digest text not null references blobs,
  primary key (manifest_digest, digest)
);
create index on bundle_blobs (digest);

-- Compressed source parts, by the digest of what they hold.
create table source_members (
  listing_digest text primary key,
  digest text not null references blobs,
  writer_version text not null,
  created_at timestamptz not null default now()
);
create index on source_members (digest);

-- Bundle requests -----------------------------------------------------------------------------------------------------

create table bundle_requests (
  id bigint generated always as identity primary key,
  project_id bigint references projects,
  user_id bigint references users,
  submitted_by_id bigint references users,
  -- null: the source is the upload
  repository text,
  requested_ref text,
  upload_id bigint references uploads,
  -- full commit id, once resolved
  commit text,
  rules text not null check (rules in ('native', 'cachito')),
  detect boolean not null default false,
  package_managers text[] not null,
  -- manager → options of its packages
  packages jsonb not null default '{}',
  flags text[] not null default '{}',
  dependency_replacements jsonb not null default '[]',
  strict_integrity boolean not null default false,

  state text not null check (state in ('in_progress', 'complete', 'failed', 'cancelled', 'stale')),
  state_reason text not null,
  -- of the last change of state or reason
  updated_at timestamptz not null default clock_timestamp(),
  -- counter of everything a subscriber may want to see
  version bigint not null default 0,
  -- raised by a retry: jobs of an earlier attempt change nothing
  attempt integer not null default 1,
  -- how many of the reasons of src/domain/bundle-requests/state-reasons.ts are recorded
  reasons_recorded integer not null default 0,
  error jsonb,

  snapshot_id bigint references source_snapshots,
  bundle_digest text references bundles (manifest_digest),
  cyclonedx_digest text references blobs (digest),
  spdx_digest text references blobs (digest),
  provenance_digest text references blobs (digest),
  packages_count integer,
  dependencies_count integer,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz
);
create index on bundle_requests (state, id desc);
create index on bundle_requests (repository, id desc);
create index on bundle_requests (commit);
create index on bundle_requests (project_id, id desc);
create index on bundle_requests (user_id, id desc);
create index on bundle_requests (bundle_digest);
create index on bundle_requests using gin (package_managers);

create table bundle_request_states (
  request_id bigint not null references bundle_requests on delete cascade,
  version bigint not null,
  state text not null,
  reason text not null,
  at timestamptz not null,
  primary key (request_id, version)
);

create table bundle_request_steps (
  id bigint generated always as identity primary key,
  request_id bigint not null references bundle_requests on delete cascade,
  task text not null check (task in ('fetch-source', 'resolve-packages', 'assemble-bundle')),
  package_manager text,
  state text not null check (state in ('waiting', 'queued', 'running', 'succeeded', 'failed', 'cancelled')),
  -- fencing token: raised whenever a worker takes the step; writes of an older holder change nothing
  attempt integer not null default 0,
  worker_id uuid,
  progress jsonb not null default '{}',
  -- what the step made, see src/domain/bundle-requests/step-result.ts
  result_digest text references blobs,
  queued_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  unique nulls not distinct (request_id, task, package_manager)
);
create index on bundle_request_steps (result_digest);
create index on bundle_request_steps (worker_id) where state = 'running';

create table bundle_request_environment (
  id bigint generated always as identity primary key,
  request_id bigint not null references bundle_requests on delete cascade,
  form text not null check (form in ('registry', 'offline')),
  name text not null,
  value text not null,
  kind text not null check (kind in ('path', 'literal'))
);
create index on bundle_request_environment (request_id);

create table bundle_request_configuration_files (
  id bigint generated always as identity primary key,
  request_id bigint not null references bundle_requests on delete cascade,
  form text not null check (form in ('registry', 'offline')),
  path text not null,
  content bytea not null
);
create index on bundle_request_configuration_files (request_id);

-- Packages and components ---------------------------------------------------------------------------------------------

-- What requests report (cachito.md 1.6): a dictionary, since most dependencies recur in many requests.
create table package_versions (
  id bigint generated always as identity primary key,
  type text not null,
  name text not null,
  version text,
  unique nulls not distinct (type, name, version)
);

create table request_packages (
  id bigint generated always as identity primary key,
  request_id bigint not null references bundle_requests on delete cascade,
  position integer not null,
  package_version_id bigint not null references package_versions,
  path text not null,
  dev boolean,
  unique (request_id, position)
);

create table package_dependencies (
  package_id bigint not null references request_packages on delete cascade,
  position integer not null,
  package_version_id bigint not null references package_versions,
  dev boolean,
  replaces jsonb,
  primary key (package_id, position)
);

-- Rows of SBOMs, searchable over all bundles.
create table components (
  id bigint generated always as identity primary key,
  purl text not null unique,
  -- type and name as in the purl, the name with its namespace: npm, @angular/core
  type text not null,
  name text not null,
  version text
);
create index on components (type, name);
create index on components (name);

create table request_components (
  component_id bigint not null references components,
  request_id bigint not null references bundle_requests on delete cascade,
  is_source_package boolean not null,
  dev boolean not null default false,
  primary key (component_id, request_id)
);
create index on request_components (request_id);

-- Events and logs -----------------------------------------------------------------------------------------------------

create table events (
  txid xid8 not null default pg_current_xact_id(),
  position bigint generated always as identity,
  subject_type text not null,
  subject_id bigint not null,
  version bigint not null,
  type text not null,
  data jsonb not null default '{}',
  at timestamptz not null default clock_timestamp(),
  primary key (subject_type, subject_id, version)
);
-- The feed over all subjects reads in the order (txid, position), up to the oldest transaction still running.
create index on events (txid, position);

create table log_streams (
  id bigint generated always as identity primary key,
  subject_type text not null,
  subject_id bigint not null,
  lines bigint not null default 0,
  -- no more lines come
  closed boolean not null default false,
  -- the first so many lines lie in the blob, one JSON object a line; the others are rows
  compacted_lines bigint not null default 0,
  digest text references blobs,
  unique (subject_type, subject_id)
);
create index on log_streams (digest);

create table log_lines (
  stream_id bigint not null references log_streams on delete cascade,
  -- from 1, without gaps
  number bigint not null,
  at timestamptz not null,
  level text not null check (level in ('debug', 'info', 'warn', 'error')),
  -- which part wrote it, e.g. resolve-packages.npm
  source text not null,
  text text not null,
  primary key (stream_id, number)
);

-- Workers -------------------------------------------------------------------------------------------------------------

create table workers (
  id uuid primary key,
  host text not null,
  pid integer not null,
  -- owner of the locks of graphile-worker
  pool_id text not null,
  concurrency integer not null,
  -- counters since the start, e.g. downloads_total
  metrics jsonb not null default '{}',
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  stopped_at timestamptz
);
create index on workers (heartbeat_at) where stopped_at is null;
