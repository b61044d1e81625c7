import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { type Reader, readable } from './readable-repositories.ts';

export interface RegistryBlob {
  digest: Digest;
  sha512: string | null;
  size: number;
  createdAt: Date;
}

/** null: there is none with this address in an image that the reader may see. */
export async function findReadableBlobRow(
  sql: SqlExecutor,
  reader: Reader,
  address: string,
): Promise<RegistryBlob | null> {
  const [row] = await sql.query<RegistryBlob>(
    `select b.digest, (select a.address from blob_addresses a where a.digest = b.digest limit 1) as sha512, b.size,
       b.created_at as "createdAt"
     from blobs b
     where b.digest = coalesce((select a.digest from blob_addresses a where a.address = $3), $3) and exists (
       select from image_blobs l
       join images i on i.id = l.image_id
       join repositories r on r.id = i.repository_id
       join projects p on p.id = r.project_id
       where l.digest = b.digest and ${readable(1)}
     )`,
    [reader.userId, reader.readsAll, address],
  );
  return row ?? null;
}
