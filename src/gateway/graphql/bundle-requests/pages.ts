import {
  countVisibleRequests,
  findLatest,
  findRequestPage,
  findRequestsByNumber,
  findVersionPage,
  type NumberedPage,
} from '../../../domain/bundle-requests/find.ts';
import { findVersion } from '../../../domain/bundle-requests/find-version.ts';
import type { RequestFilter, RequestVersion } from '../../../domain/database/sql/list-requests.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { builder } from '../builder.ts';
import { complexityByRows, LIST_MULTIPLIER, PAGE_SIZES } from '../connections.ts';
import { BundleRequestRef } from './bundle-request.ts';
import { FilterInput } from './queries.ts';

const MOST_NUMBERS = 1_000;

/** What a page costs, when it is asked for by number. */
export function complexityOfPage({ perPage }: { perPage?: number | null | undefined }) {
  return complexityByRows(PAGE_SIZES)({ first: perPage });
}

const RequestVersionRef = builder.objectRef<RequestVersion>('BundleRequestVersion').implement({
  description: 'Whoever has read this version of a request need not read it again.',
  fields: (t) => ({
    number: t.exposeInt('id', { nullable: false }),
    version: t.exposeInt('version', { nullable: false }),
  }),
});

const BundleRequestPageRef = builder
  .objectRef<{ filter: RequestFilter; page: NumberedPage }>('BundleRequestPage')
  .implement({
    description: 'A page by its number; behind the last one there are no items.',
    fields: (t) => ({
      // The query that gives the page counts its rows.
      items: t.field({
        type: [BundleRequestRef],
        nullable: false,
        resolve: ({ filter, page }, _args, { database, principal }) =>
          findRequestPage(database, principal, filter, page),
      }),
      versions: t.field({
        type: [RequestVersionRef],
        nullable: false,
        description: 'Of the items.',
        resolve: ({ filter, page }, _args, { database, principal }) =>
          findVersionPage(database, principal, filter, page),
      }),
      total: t.int({
        nullable: false,
        description: 'Of all pages.',
        complexity: 50,
        resolve: ({ filter }, _args, { database, principal }) =>
          countVisibleRequests(database, principal, filter),
      }),
    }),
  });

builder.queryFields((t) => ({
  bundleRequestPage: t.field({
    type: BundleRequestPageRef,
    nullable: false,
    description: 'Newest first, by page: for clients that jump. Others follow `bundleRequests`.',
    complexity: complexityOfPage,
    args: {
      page: t.arg.int({ required: true, description: 'From 1.' }),
      perPage: t.arg.int({ required: true, defaultValue: PAGE_SIZES.defaultSize }),
      filter: t.arg({ type: FilterInput }),
    },
    resolve: (_root, { page, perPage, filter }) => ({ filter: filter ?? {}, page: { page, perPage } }),
  }),
  bundleRequestVersion: t.field({
    type: RequestVersionRef,
    description: 'Null when there is none, or none that the caller may see. For clients that ask often.',
    args: { number: t.arg.int({ required: true }) },
    resolve: (_root, { number }, { database, principal }) => findVersion(database, principal, number),
  }),
  bundleRequestsByNumber: t.field({
    type: [BundleRequestRef],
    nullable: false,
    description: 'In the order of the numbers, without those that there are not, or not for the caller.',
    complexity: ({ numbers }) => ({
      field: 5,
      multiplier: Math.max(1, Math.ceil(numbers.length / LIST_MULTIPLIER)),
    }),
    args: { numbers: t.arg.intList({ required: true, description: 'At most 1,000.' }) },
    resolve: (_root, { numbers }, { database, principal }) => {
      if (numbers.length > MOST_NUMBERS) {
        throw new InvalidInputError(`At most ${MOST_NUMBERS} requests can be asked for at once`);
      }
      return findRequestsByNumber(database, principal, numbers);
    },
  }),
  latestBundleRequest: t.field({
    type: BundleRequestRef,
    description: 'The newest request for a ref of a repository, whatever its host.',
    args: {
      repositoryName: t.arg.string({
        required: true,
        description: "The URL's path without outer slashes and `.git`.",
      }),
      ref: t.arg.string({ required: true }),
    },
    resolve: (_root, wanted, { database, principal }) => findLatest(database, principal, wanted),
  }),
}));
