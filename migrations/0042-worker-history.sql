-- What workers have counted that stopped long ago and are forgotten: totals never fall (src/domain/database/sql/worker-totals.ts).
create table worker_history (
  -- of the counter, with its labels
  name text primary key,
  value double precision not null
);
