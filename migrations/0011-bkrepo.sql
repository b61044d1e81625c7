-- What bk-repo's clients need besides images (bkrepo-docker.md 2, 3).

-- When an image was pushed last is when its newest tag was.
create index on tags (image_id, modified_at);

-- Since when nothing of the image is left that was pushed before: it was deleted, and begins anew with its next push.
alter table images add column emptied_at timestamptz;

alter table projects
  add column modified_by_id bigint references users on delete set null,
  add column modified_at timestamptz not null default clock_timestamp();

-- Other systems that act for users, whom they name in each call: `Authorization: Platform`.
create table platform_accounts (
  id bigint generated always as identity primary key,
  name text collate "C" not null unique,
  created_by_id bigint references users on delete set null,
  created_at timestamptz not null default clock_timestamp()
);

create table platform_keys (
  access_key text primary key,
  account_id bigint not null references platform_accounts on delete cascade,
  -- sha256: secrets are long and random, so no slow hash is needed
  secret_hash bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz
);
create index on platform_keys (account_id);
