-- Builds of images: what users publish (fandogh.md), its versions, and the runs that make them.

create table published_images (
  id bigint generated always as identity primary key,
  -- a project with published images is not deleted along
  project_id bigint not null references projects,
  repository text collate "C" not null,
  -- exactly as given, which need not be a legal name of a registry
  name text collate "C" not null,
  -- where the registry keeps it: project/repository/mapped name (fandogh.md 1.10); never changes
  path text collate "C" not null unique,
  created_by_id bigint references users on delete set null,
  created_at timestamptz not null default clock_timestamp(),
  unique (project_id, repository, name)
);

-- One row for each name of a version, however often it is published (fandogh.md 1.7).
create table published_versions (
  id bigint generated always as identity primary key,
  image_id bigint not null references published_images on delete cascade,
  -- the tag
  name text collate "C" not null,
  created_at timestamptz not null default clock_timestamp(),
  unique (image_id, name)
);
create index on published_versions (image_id, id);

create table image_builds (
  id bigint generated always as identity primary key,
  version_id bigint not null references published_versions on delete cascade,
  -- as that of the image: builds wait for each other by project
  project_id bigint not null references projects,
  user_id bigint references users on delete set null,

  -- exactly one: an uploaded archive, a repository, a complete bundle request
  upload_id bigint references uploads,
  repository text,
  requested_ref text,
  request_id bigint references bundle_requests,
  check (num_nonnulls(upload_id, repository, request_id) = 1),
  -- of a repository, once resolved: a build that is done again stays at it
  commit text,
  -- see BuildOptions in src/domain/images/image-build.ts
  options jsonb not null,

  state text not null check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  -- counter of everything a subscriber may want to see
  version bigint not null default 0,
  -- fencing token: raised whenever a worker takes the build; writes of an older holder change nothing
  attempt integer not null default 0,
  -- raised by a retry: jobs from before change nothing
  retries integer not null default 0,
  -- whether it has one of its project's places, and with it a job
  is_admitted boolean not null default false,
  worker_id uuid,
  -- {"reason": …, "message": …, "details": …}
  failure jsonb,

  digest text,
  media_type text,
  -- config and layers, compressed
  size bigint,
  base_images jsonb,
  builder jsonb,

  created_at timestamptz not null default clock_timestamp(),
  -- from here on it waits; a retry waits anew
  queued_at timestamptz not null default clock_timestamp(),
  -- of the last attempt
  started_at timestamptz,
  finished_at timestamptz
);
create index on image_builds (version_id, id desc);
create index on image_builds (project_id, id desc);
create index on image_builds (upload_id) where upload_id is not null;
create index on image_builds (request_id) where request_id is not null;
create index on image_builds (worker_id) where state = 'running';
create index image_builds_unfinished on image_builds (project_id, queued_at, id) where state in ('queued', 'running');

-- For as long as the build is not over, and shown to nobody.
create table image_build_secrets (
  build_id bigint not null references image_builds on delete cascade,
  id text not null,
  value text not null,
  primary key (build_id, id)
);

-- Builds have a queue runner of their own in each worker, so that they never take the places of other jobs: its pool owns
-- the locks of their jobs.
alter table workers add column build_pool_id text;
