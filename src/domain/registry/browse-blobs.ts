import { findReadableBlobRow, type RegistryBlob } from '../database/sql/blob-rows.ts';
import type { Repository } from '../database/sql/repository-rows.ts';
import type { TextRange } from '../database/sql/text-range.ts';
import { listUploadRows, type UploadSession } from '../database/sql/upload-rows.ts';
import type { RegistryPrincipal } from './access.ts';
import { mayManage } from './management.ts';
import { findReader } from './reader.ts';
import { parseAddress } from './reference.ts';
import type { Registry } from './registry.ts';

/** null: no image that the principal may pull has it. Throws `digest-invalid`. */
export async function findBrowsedBlob(
  registry: Registry,
  principal: RegistryPrincipal,
  address: string,
): Promise<RegistryBlob | null> {
  const parsed = parseAddress(address);
  return await findReadableBlobRow(registry.database.sql, await findReader(registry, principal), parsed);
}

/** Uploads under way: to owners those of everybody, to others their own. */
export async function browseUploads(
  registry: Registry,
  principal: RegistryPrincipal,
  { id, project, name }: Pick<Repository, 'id' | 'project' | 'name'>,
  range: TextRange,
): Promise<UploadSession[]> {
  const seesAll = await mayManage(registry, principal, { project, name });
  if (!seesAll && principal.userId === null) return [];
  const userId = seesAll ? null : principal.userId;
  return await listUploadRows(registry.database.sql, { repositoryId: id, userId }, range);
}
