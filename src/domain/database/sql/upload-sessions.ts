import type { SqlExecutor } from '../sql-executor.ts';

/** What a gateway must know to go on with an upload. */
export interface ClaimedUpload {
  size: number;
  generation: number;
  /** Whoever held it is dead, and may have left a write under way. */
  isTakenOver: boolean;
}

/** A gateway that does not say so every now and then has let go. */
const HELD_FOR = '10 seconds';

/**
 * Bookkeeping of uploads need not be durable before it is answered: after a power failure the client is told of an earlier
 * offset, or of none, and goes on from there.
 */
const NOT_DURABLE = `quick as materialized (select set_config('synchronous_commit', 'off', true))`;

export async function insertUploadSession(
  sql: SqlExecutor,
  session: { id: string; imageId: number; userId: number | null },
): Promise<void> {
  await sql.query(
    `with ${NOT_DURABLE} insert into upload_sessions (id, image_id, user_id) select $1, $2, $3 from quick`,
    [session.id, session.imageId, session.userId],
    { prepared: true },
  );
}

/** null: there is none in this image. */
export async function findUploadSession(
  sql: SqlExecutor,
  id: string,
  imageId: number,
): Promise<{ size: number; isHeld: boolean } | null> {
  const rows = await sql.query<{ size: number; isHeld: boolean }>(
    `select size, holder is not null and held_until > clock_timestamp() as "isHeld"
     from upload_sessions where id = $1 and image_id = $2`,
    [id, imageId],
    { prepared: true },
  );
  return rows[0] ?? null;
}

/**
 * Notes what a client is told of how far an upload is, and returns it: `received` is what a request that is running here
 * has taken. null: there is none in this image.
 */
export async function tellUploadSize(
  sql: SqlExecutor,
  told: { id: string; imageId: number; received: number | null },
): Promise<number | null> {
  const rows = await sql.query<{ size: number }>(
    `with ${NOT_DURABLE}
     update upload_sessions s set
       told_size = case when s.holder is null then s.size else coalesce($3, s.size) end, told_at = clock_timestamp()
     from quick where s.id = $1 and s.image_id = $2
     returning s.told_size as size`,
    [told.id, told.imageId, told.received],
  );
  return rows[0]?.size ?? null;
}

/**
 * Of a request that did not come to its end: what a client was told since the request began is where the client goes on, so
 * what came behind that does not count.
 */
const NO_MORE_THAN_TOLD = (size: string): string =>
  `case when s.told_at > s.began_at then least(${size}, s.told_size) else ${size} end`;

/**
 * null: there is none, or somebody else is writing; then it is told to stop. `ageMs`: how long ago the request came.
 * `isUnranged`: it does not say where it goes on, so that must be where its client was told last: bytes of a request that
 * broke, and that may have come late, count from when a client is told of them.
 */
export async function claimUploadSession(
  sql: SqlExecutor,
  claim: { id: string; imageId: number; holder: string; ageMs: number; isUnranged: boolean },
): Promise<ClaimedUpload | 'held' | null> {
  const rows = await sql.query<ClaimedUpload & { isClaimed: boolean }>(
    `with ${NOT_DURABLE}, one as (
       select s.id, s.holder is null or s.held_until < clock_timestamp() as is_free, s.holder is not null as was_held,
         -- one that still has a holder was left by a dead one
         case when s.holder is null then s.size else ${NO_MORE_THAN_TOLD('s.size')} end as counted
       from upload_sessions s, quick where s.id = $1 and s.image_id = $2 for update of s
     )
     update upload_sessions s set
       holder = case when one.is_free then $3::uuid else s.holder end,
       held_until = case when one.is_free then clock_timestamp() + interval '${HELD_FOR}' else s.held_until end,
       size = case when not one.is_free then s.size when $5 then least(one.counted, s.told_size) else one.counted end,
       began_at = case when one.is_free then clock_timestamp() - make_interval(secs => $4 / 1000.0) else s.began_at end,
       is_wanted = not one.is_free,
       active_at = clock_timestamp()
     from one where s.id = one.id
     returning s.size, s.generation, one.was_held as "isTakenOver", one.is_free as "isClaimed"`,
    [claim.id, claim.imageId, claim.holder, claim.ageMs, claim.isUnranged],
    { prepared: true },
  );
  const [row] = rows;
  if (!row) return null;
  if (!row.isClaimed) return 'held';
  return { size: row.size, generation: row.generation, isTakenOver: row.isTakenOver };
}

/** Says that the holder lives, and how far it is. False: it shall stop. */
export async function renewUploadSession(
  sql: SqlExecutor,
  held: { id: string; holder: string; size: number },
): Promise<boolean> {
  const rows = await sql.query<{ isWanted: boolean }>(
    `with ${NOT_DURABLE}
     update upload_sessions s set
       held_until = clock_timestamp() + interval '${HELD_FOR}', size = $3, active_at = clock_timestamp()
     from quick where s.id = $1 and s.holder = $2
     returning s.is_wanted as "isWanted"`,
    [held.id, held.holder, held.size],
  );
  return rows[0]?.isWanted === false;
}

/** `isTold`: the client of the request is told of the size. Returns what counts; null: somebody has taken over. */
export async function releaseUploadSession(
  sql: SqlExecutor,
  held: { id: string; holder: string; size: number; generation: number; isTold: boolean },
): Promise<number | null> {
  const rows = await sql.query<{ size: number }>(
    `with ${NOT_DURABLE}
     update upload_sessions s set
       holder = null, held_until = null, is_wanted = false, generation = $4, active_at = clock_timestamp(),
       size = case when $5 then $3 else ${NO_MORE_THAN_TOLD('$3')} end,
       told_size = case when $5 then $3 else s.told_size end,
       told_at = case when $5 then clock_timestamp() else s.told_at end
     from quick where s.id = $1 and s.holder = $2
     returning s.size`,
    [held.id, held.holder, held.size, held.generation, held.isTold],
    { prepared: true },
  );
  return rows[0]?.size ?? null;
}

/** False: there was none. */
export async function deleteUploadSession(sql: SqlExecutor, id: string): Promise<boolean> {
  const rows = await sql.query('delete from upload_sessions where id = $1 returning id', [id]);
  return rows.length > 0;
}

/** Removes those that nobody went on with for so many seconds; returns the names of their files. */
export async function deleteExpiredUploadSessions(
  sql: SqlExecutor,
  idleSeconds: number,
): Promise<{ id: string; generation: number; size: number }[]> {
  return await sql.query(
    `delete from upload_sessions
     where active_at < now() - make_interval(secs => $1) and (holder is null or held_until < now())
     returning id, generation, size`,
    [idleSeconds],
  );
}

/** Those of the ids that there are sessions for. */
export async function presentUploadSessions(sql: SqlExecutor, ids: readonly string[]): Promise<Set<string>> {
  const rows = await sql.query<{ id: string }>('select id from upload_sessions where id = any($1::uuid[])', [
    ids,
  ]);
  return new Set(rows.map((row) => row.id));
}
