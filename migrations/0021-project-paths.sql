-- Projects in the paths of the registry. A name that cannot stand in one is mapped, as names of images are (fandogh.md
-- 1.10); what a project is called there never changes.

alter table projects add column path text collate "C" unique;

-- The rule is that of src/domain/images/published-image.ts. It is kept here so that a project has a path whoever makes it.
create function free_project_path(name text) returns text language plpgsql as $$
declare
  hash text := encode(sha256(convert_to(name, 'UTF8')), 'hex');
  slug text := coalesce(
    nullif(trim('-' from regexp_replace(lower(name collate "C"), '[^a-z0-9]+', '-', 'g')), ''),
    'image'
  );
  candidates text[] := array[slug || '-x' || left(hash, 8), slug || '-x' || left(hash, 16), slug || '-x' || hash];
  candidate text;
begin
  if name collate "C" ~ '^[a-z0-9]+((\.|__|_|-+)[a-z0-9]+)*$' then
    candidates := name || candidates;
  end if;
  foreach candidate in array candidates loop
    if not exists (select from projects p where p.path = candidate) then
      return candidate;
    end if;
  end loop;
  raise exception 'there is no free path for project "%"', name using errcode = 'unique_violation';
end $$;

-- Those that keep their names come first.
update projects set path = name where name collate "C" ~ '^[a-z0-9]+((\.|__|_|-+)[a-z0-9]+)*$';
do $$
declare
  project record;
begin
  for project in select id, name from projects where path is null order by id loop
    update projects set path = free_project_path(project.name) where id = project.id;
  end loop;
end $$;
alter table projects alter column path set not null;

create function set_project_path() returns trigger language plpgsql as $$
begin
  new.path := free_project_path(new.name);
  return new;
end $$;
create trigger project_path before insert on projects for each row execute function set_project_path();
