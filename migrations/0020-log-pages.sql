-- Lines of a log that are not compacted yet, many to a row: a row for each line was most of what writing and reading cost.
create table log_pages (
  stream_id bigint not null references log_streams on delete cascade,
  -- numbers of its lines, from 1; neither within a page nor between pages there are gaps
  first_number bigint not null,
  last_number bigint not null,
  -- JSON: [[milliseconds since 1970, level, source, [text, ...]], ...]
  lines text not null,
  primary key (stream_id, last_number)
);
-- They stay for as long as the log is open: packing them would cost more than it saves.
alter table log_pages alter column lines set storage external;

insert into log_pages (stream_id, first_number, last_number, lines)
select stream_id, min(number), max(number),
  json_agg(json_build_array(floor(extract(epoch from at) * 1000)::bigint, level, source, json_build_array(text)) order by number)::text
from log_lines group by stream_id, (number - 1) / 500;

drop table log_lines;
