-- What a client was told last of an upload (oci-registry.md 4): a request that had begun before and then broke adds nothing.

alter table upload_sessions
  add column told_size bigint not null default 0,
  add column told_at timestamptz not null default clock_timestamp(),
  -- when the request of the holder came
  add column began_at timestamptz;
