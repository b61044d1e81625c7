import { countVisibleRequests, findRequests, getRequest } from '../../../domain/bundle-requests/find.ts';
import type { RequestFilter } from '../../../domain/database/sql/list-requests.ts';
import { NotFoundError } from '../../../domain/errors.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionById, PAGE_SIZES, totalOf } from '../connections.ts';
import { BundleRequestRef } from './bundle-request.ts';
import { PackageManagerEnum, RequestStateEnum } from './enums.ts';

export const FilterInput = builder.inputType('BundleRequestFilter', {
  description: 'All of what is given must hold.',
  fields: (t) => ({
    states: t.field({ type: [RequestStateEnum] }),
    repository: t.string({ description: 'As submitted.' }),
    ref: t.string({ description: 'Commit, or branch or tag as submitted.' }),
    packageManagers: t.field({ type: [PackageManagerEnum], description: 'Requests that have all of these.' }),
    project: t.string(),
    user: t.string({ description: 'Who submitted it.' }),
    createdFrom: t.field({ type: 'DateTime' }),
    createdTo: t.field({ type: 'DateTime', description: 'Exclusive.' }),
    createdSince: t.field({ type: 'ExactDateTime', description: 'Inclusive.' }),
    createdUntil: t.field({ type: 'ExactDateTime', description: 'Inclusive.' }),
    errorOrigin: t.string({ description: 'Of the recorded error: `client` or `server`.' }),
    errorType: t.string({ description: "Cachito's name of the recorded error." }),
  }),
});

builder.queryFields((t) => ({
  bundleRequest: t.field({
    type: BundleRequestRef,
    args: { number: t.arg.int({ required: true }) },
    description: 'Null when there is none, or none that the caller may see.',
    resolve: async (_root, { number }, { database, principal }) => {
      try {
        return await getRequest(database, principal, number);
      } catch (error) {
        if (error instanceof NotFoundError) return null;
        throw error;
      }
    },
  }),
  bundleRequests: t.connection(
    {
      type: BundleRequestRef,
      nullable: false,
      description: 'Newest first.',
      complexity: complexityByRows(PAGE_SIZES),
      args: { filter: t.arg({ type: FilterInput }) },
      resolve: async (_root, { filter: given, ...args }, { database, principal }) => {
        const filter: RequestFilter = given ?? {};
        const connection = await connectionById(args, PAGE_SIZES, (range) =>
          findRequests(database, principal, filter, {
            olderThan: range.after,
            newerThan: range.before,
            limit: range.limit,
            inverted: range.inverted,
          }),
        );
        return { ...connection, total: () => countVisibleRequests(database, principal, filter) };
      },
    },
    {
      fields: (connection) => ({
        totalCount: connection.int({ nullable: false, complexity: 50, resolve: totalOf }),
      }),
    },
  ),
}));
