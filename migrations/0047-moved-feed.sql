-- The feed of events goes by ids of transactions, which begin anew in another cluster: a database that was moved there adds
-- so much to its own that they come after all that it brought along (src/domain/database/continue-feed.ts).

create function feed_offset() returns bigint language sql stable as 'select 0::bigint';

create function feed_txid(txid xid8) returns xid8 language sql stable as $$
  select (txid::text::bigint + feed_offset())::text::xid8
$$;

alter table events alter column txid set default feed_txid(pg_current_xact_id());
