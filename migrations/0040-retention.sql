-- What is forgotten by policy (src/domain/retention/rules.ts), and totals that need not be counted anew for each scrape.

-- What each rule looks for is found by an index, however large its table is.
create index bundle_requests_over on bundle_requests (updated_at) where state in ('stale', 'failed', 'cancelled');
create index image_builds_over on image_builds (finished_at) where state in ('succeeded', 'failed', 'cancelled');

-- Since when nobody writes to the log; `infinity`: nothing is left of it. Of logs that were closed by an older release it is
-- the time at which a newer one saw that.
alter table log_streams add column closed_at timestamptz;
create index log_streams_closed on log_streams (closed_at);
create index log_streams_undated on log_streams (id) where closed and closed_at is null;

-- Up to where events are thinned out: in the order of the feed, the next run goes on behind it.
create table retention_positions (
  rule text primary key,
  txid xid8 not null,
  position bigint not null
);

-- The newest forgotten request for the commit of a stored source: the source is as old as that (cachito.md 2.5).
create table forgotten_requests (
  commit text primary key,
  request_id bigint not null,
  requested_at timestamptz not null
);
create index on source_snapshots (commit);

-- Entries of the audit log go by policy only, and never within 30 days, whatever the policy says.
create or replace function refuse_change_of_audit_log() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('stowage.retention', true) = 'on' then
    if tg_level = 'STATEMENT' then
      return null;
    elsif old.at < now() - interval '30 days' then
      return old;
    end if;
  end if;
  raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
end $$;
create trigger kept_for_a_while before delete on audit_log for each row execute function refuse_change_of_audit_log();

-- Requests and builds by state, and how long those took that have ended. Changes are added up by whoever reads, and made one
-- row now and then: a row that everybody changes would let one transaction wait for the other.
create table tallies (
  subject_type text not null,
  -- now: how many are in the state; ended: how many have ended in it, whatever became of them
  kind text not null check (kind in ('now', 'ended')),
  state text not null,
  -- of those that have ended: how many of the bounds are not above the duration
  bucket integer,
  count bigint not null,
  seconds double precision not null default 0
);

-- As in src/gateway/health/database-metrics.ts.
create function duration_bucket(duration interval) returns integer immutable language sql as $$
  select width_bucket(
    extract(epoch from duration)::double precision,
    array[0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]::double precision[]
  )
$$;

create function tally_change() returns trigger language plpgsql as $$
declare
  duration interval;
begin
  if tg_op <> 'INSERT' then
    insert into tallies (subject_type, kind, state, count) values (tg_argv[0], 'now', old.state, -1);
  end if;
  if tg_op = 'DELETE' then
    return null;
  end if;
  insert into tallies (subject_type, kind, state, count) values (tg_argv[0], 'now', new.state, 1);
  if new.finished_at is null or (tg_op = 'UPDATE' and old.finished_at is not null) then
    return null;
  end if;
  if tg_argv[0] = 'image-build' then
    duration := new.finished_at - new.queued_at;
  else
    duration := new.finished_at - new.created_at;
  end if;
  insert into tallies (subject_type, kind, state, bucket, count, seconds)
  values (tg_argv[0], 'ended', new.state, duration_bucket(duration), 1, extract(epoch from duration));
  return null;
end $$;

-- In the order in which transactions lock: nobody changes a request or build from here on until all are counted.
create trigger tally_change after update on bundle_requests for each row
  when (old.state <> new.state) execute function tally_change('bundle-request');
create trigger tally_coming after insert or delete on bundle_requests for each row
  execute function tally_change('bundle-request');
create trigger tally_change after update on image_builds for each row
  when (old.state <> new.state) execute function tally_change('image-build');
create trigger tally_coming after insert or delete on image_builds for each row
  execute function tally_change('image-build');

insert into tallies (subject_type, kind, state, count)
select 'bundle-request', 'now', state, count(*) from bundle_requests group by state
union all
select 'image-build', 'now', state, count(*) from image_builds group by state;

insert into tallies (subject_type, kind, state, bucket, count, seconds)
select 'bundle-request', 'ended', state, duration_bucket(finished_at - created_at), count(*),
  sum(extract(epoch from finished_at - created_at))
from bundle_requests where finished_at is not null group by state, 4
union all
select 'image-build', 'ended', state, duration_bucket(finished_at - queued_at), count(*),
  sum(extract(epoch from finished_at - queued_at))
from image_builds where finished_at is not null group by state, 4;
