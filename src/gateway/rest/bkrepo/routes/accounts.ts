import type { FastifyRequest } from 'fastify';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import {
  ACCOUNTS,
  type AccountRow,
  CREATE_ACCOUNT,
  CREATE_KEY,
  DELETE_ACCOUNT,
  DELETE_KEY,
} from '../operations/accounts.ts';
import { RequestBody } from '../parameters/body.ts';
import { requireStorable } from '../parameters/query.ts';
import type { BkrepoCall, BkrepoRoute } from '../route.ts';
import { accountRecord, credentialRecords } from '../shapes/accounts.ts';

/** Accounts of other systems and their keys (bkrepo-docker.md 2.3). For administrators. */

const CREDENTIAL_PATH = '/auth/api/account/credential';

export const createAccount: BkrepoRoute = {
  method: 'POST',
  path: '/auth/api/account/create',
  login: 'user',
  async handle(call, request, reply) {
    const body = new RequestBody(request);
    const name = body.required('appId');
    // There are no accounts that are locked.
    if (body.flag('locked') === true) throw new BkrepoError('PARAMETER_INVALID', 'locked');
    const { result } = await call.run(CREATE_ACCOUNT, { name });
    const refusals = {
      conflict: () => new BkrepoError('RESOURCE_EXISTED', name),
      'invalid-input': () => new BkrepoError('PARAMETER_INVALID', 'appId'),
    };
    refusedAs(refusals, () => dataOf(result));
    const added = await keyOf(call, name);
    return sendData(request, reply, accountRecord(await accountOf(call, name), added));
  },
};

export const listAccounts: BkrepoRoute = {
  method: 'GET',
  path: '/auth/api/account/list',
  login: 'user',
  async handle({ run }, request, reply) {
    const { platformAccounts } = await run(ACCOUNTS, {});
    const records = platformAccounts.map((account) => accountRecord(account));
    return sendData(request, reply, records);
  },
};

export const deleteAccount: BkrepoRoute = {
  method: 'DELETE',
  path: '/auth/api/account/delete/:appId',
  login: 'user',
  async handle({ run }, request, reply) {
    const name = nameOf(request);
    const { result } = await run(DELETE_ACCOUNT, { name });
    refusedAs(unknownAs(name), () => dataOf(result));
    return sendData(request, reply, true);
  },
};

export const listCredentials: BkrepoRoute = {
  method: 'GET',
  path: `${CREDENTIAL_PATH}/list/:appId`,
  login: 'user',
  async handle(call, request, reply) {
    return sendData(request, reply, credentialRecords(await accountOf(call, nameOf(request))));
  },
};

/** One more pair of keys. */
export const createCredential: BkrepoRoute = {
  method: 'POST',
  path: `${CREDENTIAL_PATH}/:appId`,
  login: 'user',
  async handle(call, request, reply) {
    const name = nameOf(request);
    const added = await keyOf(call, name);
    return sendData(request, reply, credentialRecords(await accountOf(call, name), added));
  },
};

/** Gives those that remain. */
export const deleteCredential: BkrepoRoute = {
  method: 'DELETE',
  path: `${CREDENTIAL_PATH}/:appId/:accessKey`,
  login: 'user',
  async handle(call, request, reply) {
    const name = nameOf(request);
    const { accessKey } = request.params as { accessKey: string };
    requireStorable(accessKey, 'accessKey');
    const { result } = await call.run(DELETE_KEY, { account: name, accessKey });
    refusedAs(unknownAs(accessKey), () => dataOf(result));
    return sendData(request, reply, credentialRecords(await accountOf(call, name)));
  },
};

async function keyOf({ run }: BkrepoCall, account: string) {
  const { result } = await run(CREATE_KEY, { account });
  return refusedAs(unknownAs(account), () => dataOf(result));
}

async function accountOf({ run }: BkrepoCall, name: string): Promise<AccountRow> {
  const { platformAccounts } = await run(ACCOUNTS, {});
  const account = platformAccounts.find((one) => one.name === name);
  if (!account) throw new BkrepoError('RESOURCE_NOT_FOUND', name);
  return account;
}

function nameOf(request: FastifyRequest): string {
  const { appId } = request.params as { appId: string };
  requireStorable(appId, 'appId');
  return appId;
}

function unknownAs(name: string) {
  return { 'not-found': () => new BkrepoError('RESOURCE_NOT_FOUND', name) };
}
