import type { SqlExecutor } from '../sql-executor.ts';

export interface GatewayAddress {
  id: string;
  /** Of the machine that it runs on. */
  host: string;
  /** For processes of the same machine. */
  localUrl: string;
  /** For others; null: it listens on loopback only. */
  remoteUrl: string | null;
}

/** A gateway that has said nothing for so long is gone. */
const LIVE_FOR = '30 seconds';

export async function announceGateway(sql: SqlExecutor, address: GatewayAddress): Promise<void> {
  const { id, host, localUrl, remoteUrl } = address;
  await sql.query(
    `insert into gateway_addresses (id, host, local_url, remote_url) values ($1, $2, $3, $4)
     on conflict (id) do update set seen_at = now()`,
    [id, host, localUrl, remoteUrl],
  );
}

/** With those that are long gone. */
export async function withdrawGateway(sql: SqlExecutor, id: string): Promise<void> {
  await sql.query(`delete from gateway_addresses where id = $1 or seen_at < now() - interval '1 day'`, [id]);
}

/** Of the newest live gateway that a process of this machine can reach; null: none has announced itself. */
export async function findGatewayUrl(sql: SqlExecutor, host: string): Promise<string | null> {
  const [row] = await sql.query<{ url: string }>(
    `select case when host = $1 then local_url else remote_url end as url
     from gateway_addresses
     where seen_at > now() - interval '${LIVE_FOR}' and (host = $1 or remote_url is not null)
     order by host = $1 desc, seen_at desc
     limit 1`,
    [host],
  );
  return row?.url ?? null;
}
