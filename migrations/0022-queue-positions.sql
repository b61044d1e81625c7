-- Of builds that wait: what their subscribers were last told about how many start before them.
alter table image_builds add column told_position integer;
