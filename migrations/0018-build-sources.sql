-- The uploaded source of a build that ended long ago is let go; the build itself stays.
alter table image_builds
  drop constraint image_builds_check,
  add constraint image_builds_one_source check (num_nonnulls(upload_id, repository, request_id) <= 1),
  drop constraint image_builds_upload_id_fkey,
  add constraint image_builds_upload_id_fkey foreign key (upload_id) references uploads on delete set null;
