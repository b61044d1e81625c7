import type { PlatformAccount, PlatformKeyRow } from '../../../domain/database/sql/platform-accounts.ts';
import {
  createPlatformAccount,
  createPlatformKey,
  deletePlatformAccount,
  deletePlatformKey,
  listPlatformAccounts,
} from '../../../domain/identity/platform-accounts.ts';
import { builder } from '../builder.ts';

const AccessKeyRef = builder.objectRef<PlatformKeyRow>('PlatformAccessKey').implement({
  fields: (t) => ({
    accessKey: t.exposeString('accessKey', { nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
  }),
});

const PlatformAccountRef = builder.objectRef<PlatformAccount>('PlatformAccount').implement({
  description: 'Another system, which may act for any user (`Authorization: Platform`).',
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    accessKeys: t.exposeStringList('accessKeys', { nullable: false, description: 'Oldest first.' }),
    keys: t.expose('keys', { type: [AccessKeyRef], nullable: false, description: 'Oldest first.' }),
  }),
});

interface PlatformKey {
  account: string;
  accessKey: string;
  secretKey: string;
  createdAt: Date;
}

const PlatformKeyRef = builder.objectRef<PlatformKey>('PlatformKey').implement({
  fields: (t) => ({
    account: t.exposeString('account', { nullable: false }),
    accessKey: t.exposeString('accessKey', { nullable: false }),
    secretKey: t.exposeString('secretKey', { nullable: false, description: 'Shown only now.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
  }),
});

builder.queryFields((t) => ({
  platformAccounts: t.field({
    type: [PlatformAccountRef],
    nullable: false,
    description: 'For administrators.',
    resolve: (_root, _args, { database, principal }) => listPlatformAccounts(database, principal),
  }),
}));

builder.mutationFields((t) => {
  const name = t.arg.string({ required: true });
  return {
    createPlatformAccount: t.field({
      type: PlatformAccountRef,
      nullable: false,
      description: 'For administrators.',
      errors: {},
      args: { name },
      resolve: (_root, args, { database, principal }) =>
        createPlatformAccount(database, principal, args.name),
    }),
    createPlatformKey: t.field({
      type: PlatformKeyRef,
      nullable: false,
      description: 'One more pair of keys for an account. For administrators.',
      errors: {},
      args: { account: name },
      resolve: (_root, { account }, { database, principal }) =>
        createPlatformKey(database, principal, account),
    }),
    deletePlatformKey: t.field({
      type: 'String',
      nullable: false,
      description: 'It ends at once; gives the access key. For administrators.',
      errors: {},
      args: { account: name, accessKey: t.arg.string({ required: true }) },
      resolve: (_root, { account, accessKey }, { database, principal }) =>
        deletePlatformKey(database, principal, { accountName: account, accessKey }),
    }),
    deletePlatformAccount: t.field({
      type: PlatformAccountRef,
      nullable: false,
      description: 'Its keys end at once. For administrators.',
      errors: {},
      args: { name },
      resolve: (_root, args, { database, principal }) =>
        deletePlatformAccount(database, principal, args.name),
    }),
  };
});
