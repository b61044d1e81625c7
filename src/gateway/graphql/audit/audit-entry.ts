import { findAuditEntries } from '../../../domain/audit/audit-log.ts';
import type { AuditEntry } from '../../../domain/database/sql/audit-log.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionById, PAGE_SIZES } from '../connections.ts';

const AuditEntryRef = builder.objectRef<AuditEntry>('AuditEntry').implement({
  description: 'Something that somebody did, or was not let do.',
  fields: (t) => ({
    number: t.exposeID('id', { nullable: false }),
    at: t.expose('at', { type: 'DateTime', nullable: false, description: 'When it began.' }),
    user: t.exposeString('user', { description: 'Null: nobody was logged in.' }),
    token: t.exposeID('tokenId', { description: 'Null: a password, a session, a command.' }),
    address: t.exposeString('address', {
      description: 'Of the client; `command`: on the machine of the server.',
    }),
    action: t.exposeString('action', { nullable: false, description: 'A mutation, or what else it was.' }),
    details: t.expose('details', {
      type: 'JSON',
      nullable: false,
      description: 'Its arguments; `***` in place of what must not be shown.',
    }),
    code: t.exposeString('code', { description: 'Why it was not done; null: it was.' }),
  }),
});

builder.queryFields((t) => ({
  auditLog: t.connection({
    type: AuditEntryRef,
    nullable: false,
    description: 'Who did what, the latest first. For administrators.',
    complexity: complexityByRows(PAGE_SIZES),
    args: {
      user: t.arg.string(),
      action: t.arg.string(),
      since: t.arg({ type: 'DateTime' }),
      until: t.arg({ type: 'DateTime', description: 'Not that time itself.' }),
    },
    resolve: (_root, { user, action, since, until, ...page }, { database, principal }) =>
      connectionById(page, PAGE_SIZES, (range) =>
        findAuditEntries(database, principal, { user, action, since, until }, range),
      ),
  }),
}));
