-- Backups that are being made (src/domain/backup/): no bytes are removed meanwhile, since the database of the backup may name
-- what nothing names any more.

create table running_backups (
  id uuid primary key,
  started_at timestamptz not null default clock_timestamp(),
  -- one that has not said so for a while is dead
  renewed_at timestamptz not null default clock_timestamp()
);
