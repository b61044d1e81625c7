-- Git submodules one level deep, bundles with git directories, and steps that have nothing to do.

-- How deep a snapshot's submodules go: those of npm and pip dependencies all the way, those of sources one level.
alter table source_snapshots alter column submodules drop default;
alter table source_snapshots
  alter column submodules type text using case when submodules then 'recursive' else 'none' end;
alter table source_snapshots alter column submodules set default 'none';
alter table source_snapshots add check (submodules in ('none', 'direct', 'recursive'));

-- Digest of the manifest without what no two machines make alike (git directories); null when there is nothing of that.
alter table bundles add column reproducible_digest text;

-- The package manager has nothing to do in this source, and no reason is recorded for it (cachito.md 2.2).
alter table bundle_request_steps add column is_idle boolean not null default false;
