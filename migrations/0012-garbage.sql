-- Space and integrity (oci-registry.md 9, 10): what the collector goes by, its runs, and what stowage fsck has found.

alter table manifests
  -- when somebody pushed it, or somebody who pushes was told that it is here: they will not push it again
  add column touched_at timestamptz not null default clock_timestamp(),
  -- since when somebody has deleted its last tag, or the index that it belonged to; of no account while it has a tag
  add column discarded_at timestamptz;
create index manifests_discarded on manifests (discarded_at) where discarded_at is not null;

-- When its bytes were found changed or missing; nobody is given it until somebody writes it again.
alter table blobs add column damaged_at timestamptz;
create index blobs_damaged on blobs (damaged_at) where damaged_at is not null;

-- Bytes that nothing names any more and that are still to be removed: what a killed collector left is found here.
create table removed_blobs (
  digest text primary key,
  removed_at timestamptz not null default now()
);

create table garbage_runs (
  id bigint generated always as identity primary key,
  state text not null default 'running' check (state in ('running', 'complete', 'failed')),
  -- counter of what a subscriber may want to see
  version bigint not null default 0,
  -- by kind of garbage: {"items": …, "bytes": …}
  removed jsonb not null default '{}',
  error text,
  started_at timestamptz not null default clock_timestamp(),
  -- a running one that has not said so for a while is dead
  renewed_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz
);
create unique index garbage_runs_running on garbage_runs ((true)) where state = 'running';
create index on garbage_runs (started_at);
