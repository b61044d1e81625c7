-- Expiry of requests, pruning of sources, and what workers see of the services that they depend on.

create index on bundle_requests (updated_at) where state <> 'stale';
create index on bundle_requests (snapshot_id);

-- A bundle that no request names any more is garbage some time after its last use.
alter table bundles add column last_used_at timestamptz not null default now();
alter table source_members add column last_used_at timestamptz not null default now();

-- Somebody wants to know how things are; the worker answers with what it sees (src/workers/service-reports.ts).
alter table workers add column asked_at timestamptz;
alter table workers add column reported_at timestamptz;
alter table workers add column services jsonb not null default '[]';

-- Whether something names a blob is asked for each one that is deleted, and stale requests give many back.
create index on bundle_requests (cyclonedx_digest) where cyclonedx_digest is not null;
create index on bundle_requests (spdx_digest) where spdx_digest is not null;
create index on bundle_requests (provenance_digest) where provenance_digest is not null;
