import type { AccountRow, NewKey } from '../operations/accounts.ts';
import { extDate } from './dates.ts';

/** bkrepo-docker.md 2.3. Secrets are not kept: that of a new key is shown once, all others are empty. */
export function accountRecord(account: AccountRow, added?: NewKey) {
  return { appId: account.name, locked: false, credentials: credentialRecords(account, added) };
}

export function credentialRecords({ keys }: AccountRow, added?: NewKey) {
  return keys.map(({ accessKey, createdAt }) => ({
    accessKey,
    secretKey: accessKey === added?.accessKey ? added.secretKey : '',
    createdAt: extDate(createdAt),
    status: 'ENABLE',
  }));
}
