-- Several secrets for one purpose: the newest signs, the others still verify until they are forgotten.

alter table shared_secrets
  drop constraint shared_secrets_pkey,
  add column id text primary key default substr(gen_random_uuid()::text, 1, 8),
  add column retired_at timestamptz;
create unique index on shared_secrets (purpose) where retired_at is null;
create index on shared_secrets (purpose);
