import type { BundleRequest } from '../../../domain/bundle-requests/bundle-request.ts';
import { findLatest, findRequestPage, findRequestsByNumber } from '../../../domain/bundle-requests/find.ts';
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

const BundleRequestPageRef = builder
  .objectRef<{ items: BundleRequest[]; total: number }>('BundleRequestPage')
  .implement({
    description: 'A page by its number; behind the last one there are no items.',
    fields: (t) => ({
      // The query that gives the page counts its rows.
      items: t.expose('items', { type: [BundleRequestRef], nullable: false }),
      total: t.exposeInt('total', { nullable: false, description: 'Of all pages.' }),
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
    resolve: (_root, { page, perPage, filter }, { database, principal }) =>
      findRequestPage(database, principal, filter ?? {}, { page, perPage }),
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
