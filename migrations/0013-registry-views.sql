-- The registry as GraphQL shows it: events of repositories, packages of images from their SBOMs.

-- counter of everything a subscriber may want to see of the repository itself
alter table repositories add column version bigint not null default 0;

-- Manifests of an image, newest first.
create index on manifests (image_id, id desc);

-- SBOMs that are attached to images: manifests with a subject and a layer that is one.
create table sboms (
  manifest_id bigint primary key references manifests on delete cascade,
  state text not null check (state in ('queued', 'read', 'failed')),
  -- null until it is read
  format text check (format in ('cyclonedx', 'spdx')),
  -- why it could not be read
  problem text,
  read_at timestamptz
);

-- What an SBOM lists. Whose packages they are says the subject of its manifest, which may come and go.
create table image_components (
  component_id bigint not null references components,
  sbom_id bigint not null references sboms on delete cascade,
  primary key (component_id, sbom_id)
);
create index on image_components (sbom_id);
