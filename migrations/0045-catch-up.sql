-- On their first days some migrations were changed after they had landed. Databases that were made in between get here what
-- they miss; all others have it, and nothing of theirs is touched or locked.

-- locks: only what is missing is made, in tables that are a few hours old.
-- contract: processes of these days could not work with any database that came later.
do $$
declare
  -- of whatever schema the migrations run in
  columns text[] := array(
    select table_name || '.' || column_name from information_schema.columns where table_schema = current_schema()
  );
begin
  -- 0001-foundation.sql
  if not 'log_streams.compacted_lines' = any (columns) then
    alter table log_streams add column compacted_lines bigint not null default 0;
  end if;
  if not 'workers.concurrency' = any (columns) then
    -- Processes of that time are long gone: they could not live with what came since.
    delete from workers;
    alter table workers
      drop column version,
      add column concurrency integer not null,
      add column metrics jsonb not null default '{}';
  end if;
  -- 0002-package-registries.sql: a cache, which fills again
  if not 'package_file_facts.reader' = any (columns) then
    drop table package_file_facts;
    create table package_file_facts (
      digest text not null references blobs on delete cascade,
      reader text not null,
      facts json not null,
      primary key (digest, reader)
    );
  end if;
  -- 0003-git-submodules.sql
  if not 'bundle_request_steps.is_idle' = any (columns) then
    alter table bundle_request_steps add column is_idle boolean not null default false;
  end if;
  -- 0006-lifecycle.sql
  if to_regclass('bundle_requests_cyclonedx_digest_idx') is null then
    create index on bundle_requests (cyclonedx_digest) where cyclonedx_digest is not null;
    create index on bundle_requests (spdx_digest) where spdx_digest is not null;
    create index on bundle_requests (provenance_digest) where provenance_digest is not null;
  end if;
  -- 0020-log-pages.sql, when it was called 0018 and wrote [time, level, source, text] instead of [.., .., .., [text, ..]]
  if exists (select from migrations where name = '0018-log-pages.sql') then
    update log_pages set lines = (
      select json_agg(
        case when json_typeof(line -> 3) = 'array' then line
        else json_build_array(line -> 0, line -> 1, line -> 2, json_build_array(line -> 3)) end order by position
      )::text
      from json_array_elements(lines::json) with ordinality as one (line, position)
    )
    where exists (
      select from json_array_elements(lines::json) as one (line) where json_typeof(line -> 3) <> 'array'
    );
  end if;
end $$;
