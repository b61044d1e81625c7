import type { PlatformAccount } from '../../../domain/database/sql/platform-accounts.ts';
import {
  createPlatformAccount,
  createPlatformKey,
  deletePlatformAccount,
  listPlatformAccounts,
} from '../../../domain/identity/platform-accounts.ts';
import { builder } from '../builder.ts';

const PlatformAccountRef = builder.objectRef<PlatformAccount>('PlatformAccount').implement({
  description: 'Another system, which may act for any user (`Authorization: Platform`).',
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    accessKeys: t.exposeStringList('accessKeys', { nullable: false, description: 'Oldest first.' }),
  }),
});

interface PlatformKey {
  account: string;
  accessKey: string;
  secretKey: string;
}

const PlatformKeyRef = builder.objectRef<PlatformKey>('PlatformKey').implement({
  fields: (t) => ({
    account: t.exposeString('account', { nullable: false }),
    accessKey: t.exposeString('accessKey', { nullable: false }),
    secretKey: t.exposeString('secretKey', { nullable: false, description: 'Shown only now.' }),
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
