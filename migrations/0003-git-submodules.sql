-- Git submodules one level deep, and bundles with git directories.

-- How deep a snapshot's submodules go: those of npm and pip dependencies all the way, those of sources one level.
alter table source_snapshots alter column submodules drop default;
alter table source_snapshots
  alter column submodules type text using case when submodules then 'recursive' else 'none' end;
alter table source_snapshots alter column submodules set default 'none';
alter table source_snapshots add check (submodules in ('none', 'direct', 'recursive'));

-- Digest of the manifest without what no two machines make alike (git directories); null when there is nothing of that.
alter table bundles add column reproducible_digest text;
