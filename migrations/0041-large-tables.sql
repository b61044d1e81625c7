-- Lists of requests take no longer in large tables, nor does it take longer to say how many there are.

create index on bundle_requests (created_at);
create index on bundle_requests ((error ->> 'errorType'), id desc) where error is not null;
create index on bundle_requests ((error ->> 'errorOrigin'), id desc) where error is not null;

-- Of requests, `now` is counted by what says who may see them, and by ranges of their ids: that gives the number of those that
-- somebody may see, and where a page far behind begins. See src/domain/database/sql/request-counts.ts.
alter table tallies
  add column project_id bigint,
  add column rules text,
  -- id / 16384
  add column block bigint;

create or replace function tally_change() returns trigger language plpgsql as $$
declare
  duration interval;
begin
  if tg_argv[0] = 'bundle-request' then
    if tg_op <> 'INSERT' then
      insert into tallies (subject_type, kind, state, count, project_id, rules, block)
      values (tg_argv[0], 'now', old.state, -1, old.project_id, old.rules, old.id / 16384);
    end if;
    if tg_op <> 'DELETE' then
      insert into tallies (subject_type, kind, state, count, project_id, rules, block)
      values (tg_argv[0], 'now', new.state, 1, new.project_id, new.rules, new.id / 16384);
      duration := new.finished_at - new.created_at;
    end if;
  else
    if tg_op <> 'INSERT' then
      insert into tallies (subject_type, kind, state, count) values (tg_argv[0], 'now', old.state, -1);
    end if;
    if tg_op <> 'DELETE' then
      insert into tallies (subject_type, kind, state, count) values (tg_argv[0], 'now', new.state, 1);
      duration := new.finished_at - new.queued_at;
    end if;
  end if;
  if duration is null then
    return null;
  elsif tg_op = 'UPDATE' then
    if old.finished_at is not null then
      return null;
    end if;
  end if;
  insert into tallies (subject_type, kind, state, bucket, count, seconds)
  values (tg_argv[0], 'ended', new.state, duration_bucket(duration), 1, extract(epoch from duration));
  return null;
end $$;

-- From here on nobody changes a request until all are counted.
drop trigger tally_change on bundle_requests;
create trigger tally_change after update on bundle_requests for each row
  when ((old.state, old.rules, old.project_id) is distinct from (new.state, new.rules, new.project_id))
  execute function tally_change('bundle-request');

delete from tallies where subject_type = 'bundle-request' and kind = 'now';
insert into tallies (subject_type, kind, state, count, project_id, rules, block)
select 'bundle-request', 'now', state, count(*), project_id, rules, id / 16384
from bundle_requests group by state, project_id, rules, id / 16384;
