-- Who did what. Entries are written before what they tell of is done, so that nothing is done without one; a refusal or
-- failure adds an entry of its own.

create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  -- no references: what an entry says stays when users and tokens go
  user_id bigint,
  -- null: nobody was logged in
  user_name text,
  token_id bigint,
  -- of the client; `command` for a command on the server's machine
  address text,
  action text not null,
  details jsonb not null,
  -- the entry of which this says how it ended
  attempt_id bigint references audit_log,
  -- why it was not done
  code text,
  check ((attempt_id is null) = (code is null))
);
create index on audit_log (attempt_id) where attempt_id is not null;
create index on audit_log (user_name, id) where attempt_id is null;
create index on audit_log (action, id) where attempt_id is null;
create index on audit_log (at);

create function refuse_change_of_audit_log() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete or truncate on audit_log
  for each statement execute function refuse_change_of_audit_log();
