import type { SqlExecutor } from '../sql-executor.ts';

/** The id of a user; one that is not known yet is created, without any credentials. */
export async function userIdOf(sql: SqlExecutor, name: string): Promise<number> {
  // The update does nothing but give the row back, also that of a transaction which was first.
  const [row] = await sql.query<{ id: number }>(
    `with known as (select id from users where name = $1), created as (
       insert into users (name) select $1 where not exists (select from known)
       on conflict (name) do update set name = excluded.name returning id
     )
     select id from known union all select id from created`,
    [name],
  );
  return row!.id;
}
