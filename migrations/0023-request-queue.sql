-- Requests that are not over yet, and whose share of the workers they take (src/domain/bundle-requests/request-queue.ts). A table of
-- its own: it stays as small as what is going on, and requests of older releases, which are not in it, end as they began.
create table request_queue (
  request_id bigint primary key references bundle_requests on delete cascade,
  -- the project's, or the submitter's where there is none
  share text collate "C" not null,
  -- -1 high, 0 normal, 1 low: within the share
  priority smallint not null default 0,
  -- how many of the share have jobs at a time, as the submitter's gateway was set
  places integer not null,
  queued_at timestamptz not null default clock_timestamp(),
  -- whether it has one of its share's places, and with it jobs
  is_admitted boolean not null default false
);
create index request_queue_waiting on request_queue (share, priority, queued_at, request_id) where not is_admitted;
create index request_queue_admitted on request_queue (share, priority, queued_at, request_id) where is_admitted;

alter table bundle_requests add column priority text not null default 'normal';

-- Tasks whose jobs no worker takes until somebody resumes them.
create table paused_tasks (
  task text primary key,
  reason text,
  paused_by_id bigint references users on delete set null,
  paused_at timestamptz not null default now()
);

-- What a worker takes; null: everything, or a worker of an older release.
alter table workers add column tasks text[];
-- Pools beside the first two: of tasks that have places of their own.
alter table workers add column other_pool_ids text[] not null default '{}';
-- Since when it takes no more jobs.
alter table workers add column draining_at timestamptz;
