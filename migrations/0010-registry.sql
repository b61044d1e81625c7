-- The OCI registry: repositories of projects, images, manifests, tags, uploads, pulls (oci-registry.md, bkrepo-docker.md).
-- Names are compared by code point everywhere, whatever the collation of the database.

-- Projects and repositories ---------------------------------------------------------------------------------------------

alter table projects
  add column display_name text,
  add column description text not null default '',
  add column created_by_id bigint references users on delete set null;

create table repositories (
  id bigint generated always as identity primary key,
  project_id bigint not null references projects on delete cascade,
  name text collate "C" not null,
  type text not null default 'DOCKER' check (type in ('DOCKER', 'OCI')),
  category text not null default 'LOCAL' check (category in ('LOCAL', 'REMOTE', 'VIRTUAL', 'COMPOSITE', 'PROXY')),
  -- everybody may read
  is_public boolean not null default false,
  display_name text,
  description text not null default '',
  -- as the client of bk-repo gave it
  configuration jsonb,
  -- retention rules; null: keep everything that has a tag
  retention jsonb,
  -- bytes; null: no limit
  quota bigint check (quota >= 0),
  created_by_id bigint references users on delete set null,
  created_at timestamptz not null default clock_timestamp(),
  modified_by_id bigint references users on delete set null,
  modified_at timestamptz not null default clock_timestamp(),
  unique (project_id, name)
);

-- Rights on one repository, beside those that members of the project have on all of them.
create table repository_members (
  repository_id bigint not null references repositories on delete cascade,
  user_id bigint not null references users on delete cascade,
  role text not null check (role in ('viewer', 'developer', 'owner')),
  created_at timestamptz not null default now(),
  primary key (repository_id, user_id)
);
create index on repository_members (user_id);

-- Images ----------------------------------------------------------------------------------------------------------------

create table images (
  id bigint generated always as identity primary key,
  repository_id bigint not null references repositories on delete cascade,
  -- without project and repository; may have slashes
  name text collate "C" not null,
  -- project/repository/name: what the catalogue lists, in its order
  path text collate "C" not null unique,
  description text not null default '',
  -- counter of everything a subscriber may want to see; whoever changes manifests or tags raises it, and so holds the row
  version bigint not null default 0,
  downloads bigint not null default 0,
  last_pulled_at timestamptz,
  created_by_id bigint references users on delete set null,
  created_at timestamptz not null default clock_timestamp(),
  modified_by_id bigint references users on delete set null,
  modified_at timestamptz not null default clock_timestamp(),
  unique (repository_id, name)
);

-- Blobs -----------------------------------------------------------------------------------------------------------------

-- Makes a blob visible in an image: it was uploaded or mounted there, and not deleted since. For as long as the row is
-- there its bytes stay; that is what protects a push between the upload of its layers and its manifest.
create table image_blobs (
  image_id bigint not null references images on delete cascade,
  digest text not null references blobs,
  -- of the last upload, mount or HEAD by somebody who pushes: from here on the grace period counts
  touched_at timestamptz not null default now(),
  -- whether a manifest of the image may name it; only the others are looked at by the collector
  is_named boolean not null default false,
  primary key (image_id, digest)
);
create index on image_blobs (digest);
create index image_blobs_unnamed on image_blobs (touched_at) where not is_named;

-- Other names of the same bytes.
create table blob_addresses (
  address text primary key check (address like 'sha512:%'),
  digest text not null references blobs on delete cascade
);
create index on blob_addresses (digest);

-- Manifests -------------------------------------------------------------------------------------------------------------

create table manifests (
  id bigint generated always as identity primary key,
  image_id bigint not null references images on delete cascade,
  -- of the bytes, which lie in the blob store
  digest text not null references blobs,
  -- the name under which it was pushed, where that was not the digest
  sha512 text,
  media_type text not null,
  size bigint not null,
  -- what a list of referrers says of it
  artifact_type text,
  -- as text: what JSON allows in strings is more than jsonb does
  annotations json,
  -- digest as the manifest gives it; need not be here
  subject text,
  -- its config, if it has one
  config_digest text,
  config_media_type text,
  -- from the config of an image
  os text,
  architecture text,
  variant text,
  -- config and layers, each once; of an index: all distinct blobs of its children
  image_size bigint not null,
  pushed_by_id bigint references users on delete set null,
  pushed_at timestamptz not null default clock_timestamp(),
  last_pulled_at timestamptz,
  -- since when no tag is on it; null: one is
  untagged_at timestamptz default clock_timestamp(),
  -- since when the subject, which was here, is deleted
  orphaned_at timestamptz,
  unique (image_id, digest)
);
create unique index on manifests (image_id, sha512) where sha512 is not null;
create index on manifests (digest);
create index manifests_referrers on manifests (image_id, subject, digest) where subject is not null;
create index manifests_untagged on manifests (untagged_at) where untagged_at is not null;
create index manifests_orphaned on manifests (orphaned_at) where orphaned_at is not null;

-- Config and layers, in the order of the manifest.
create table manifest_blobs (
  manifest_id bigint not null references manifests on delete cascade,
  position integer not null,
  role text not null check (role in ('config', 'layer')),
  -- as the manifest gives it
  address text not null,
  -- null: a layer that is not distributed and not here
  digest text references blobs,
  media_type text not null,
  size bigint not null,
  primary key (manifest_id, position)
);
create index on manifest_blobs (digest);

-- Manifests of an index, in its order. They are named by digest: one may be deleted, and pushed again.
create table manifest_children (
  manifest_id bigint not null references manifests on delete cascade,
  position integer not null,
  -- as the index gives it
  address text not null,
  -- of the bytes
  digest text not null,
  media_type text not null,
  size bigint not null,
  os text,
  architecture text,
  variant text,
  primary key (manifest_id, position)
);
create index on manifest_children (digest);

create table tags (
  image_id bigint not null references images on delete cascade,
  name text collate "C" not null,
  manifest_id bigint not null references manifests on delete cascade,
  -- promotions in their order: @prerelease, @release
  stages text[] not null default '{}',
  downloads bigint not null default 0,
  last_pulled_at timestamptz,
  created_by_id bigint references users on delete set null,
  created_at timestamptz not null default clock_timestamp(),
  modified_by_id bigint references users on delete set null,
  modified_at timestamptz not null default clock_timestamp(),
  primary key (image_id, name)
);
create index on tags (manifest_id, modified_at);

-- Pulls by day. A tag that is deleted takes its own count along, not that of the image.
create table tag_pulls (
  image_id bigint not null references images on delete cascade,
  tag text collate "C" not null,
  day date not null,
  pulls bigint not null,
  primary key (image_id, tag, day)
);

-- Uploads ---------------------------------------------------------------------------------------------------------------

create table upload_sessions (
  id uuid primary key,
  image_id bigint not null references images on delete cascade,
  user_id bigint references users on delete cascade,
  -- bytes received
  size bigint not null default 0,
  -- names the file: raised when a gateway takes over from one that is dead, so that a late write of that one lands nowhere
  generation integer not null default 0,
  -- the request that is writing just now, and until when it certainly lives
  holder uuid,
  held_until timestamptz,
  -- another request wants to go on: the holder lets go
  is_wanted boolean not null default false,
  created_at timestamptz not null default now(),
  active_at timestamptz not null default now()
);
create index on upload_sessions (active_at);
create index on upload_sessions (image_id);

-- Credentials of docker clients -------------------------------------------------------------------------------------------

-- Secrets that all gateways share; each is made by the first that needs it.
create table shared_secrets (
  purpose text primary key,
  secret bytea not null,
  created_at timestamptz not null default now()
);

create table refresh_tokens (
  -- sha256 of the secret, as for tokens
  secret_hash bytea primary key,
  user_id bigint not null references users on delete cascade,
  -- the token that it was got with; gone with it
  token_id bigint references tokens on delete cascade,
  -- sha256 of the password's hash, if it was got with a password: a changed password ends it
  password_mark bytea,
  scopes text[] not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index on refresh_tokens (expires_at);
create index on refresh_tokens (user_id);
