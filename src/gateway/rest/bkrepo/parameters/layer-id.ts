import { type Address, isAddress } from '../../../../domain/registry/reference.ts';
import { BkrepoError } from '../errors.ts';

const FORM = /^(?:(sha256|sha512)(?::|__))?([0-9a-f]+)$/;

/** `sha256:<hex>`, `sha256__<hex>`, the hex alone; sha512 too (bkrepo-docker.md 1.3). */
export function layerAddress(id: string): Address {
  const [, algorithm, hex = ''] = FORM.exec(id) ?? [];
  const address = `${algorithm ?? (hex.length === 128 ? 'sha512' : 'sha256')}:${hex}`;
  if (!isAddress(address)) throw new BkrepoError('PARAMETER_INVALID', 'Id');
  return address;
}
