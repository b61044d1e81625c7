-- Who has logged in with a browser. The secret is in its cookie only.
create table browser_sessions (
  -- sha256 of the secret
  secret_hash bytea primary key,
  user_id bigint not null references users on delete cascade,
  -- sha256 of the hash of the password that was shown: with another one the session is over
  password_mark bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);
create index on browser_sessions (user_id, created_at);
create index on browser_sessions (expires_at);
