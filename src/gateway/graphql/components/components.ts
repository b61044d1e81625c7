import { findRequests } from '../../../domain/bundle-requests/find.ts';
import type { Component } from '../../../domain/database/sql/list-components.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { searchComponents } from '../../../domain/packages/search-components.ts';
import { builder } from '../builder.ts';
import { BundleRequestRef } from '../bundle-requests/bundle-request.ts';
import { complexityByRows, connectionById, LARGE_PAGE_SIZES, PAGE_SIZES } from '../connections.ts';

const ComponentRef = builder.objectRef<Component>('Component').implement({
  description: 'A row of the SBOMs of all bundles.',
  fields: (t) => ({
    purl: t.exposeString('purl', { nullable: false }),
    type: t.exposeString('type', { nullable: false, description: "The purl's type, e.g. `pypi`." }),
    name: t.exposeString('name', { nullable: false, description: 'With its namespace: `@angular/core`.' }),
    version: t.exposeString('version'),
    requests: t.connection({
      type: BundleRequestRef,
      nullable: false,
      description: 'Requests whose bundle holds it, newest first.',
      complexity: complexityByRows(PAGE_SIZES),
      resolve: ({ id }, args, { database, principal }) =>
        connectionById(args, PAGE_SIZES, (range) =>
          findRequests(
            database,
            principal,
            { componentId: id },
            {
              olderThan: range.after,
              newerThan: range.before,
              limit: range.limit,
              inverted: range.inverted,
            },
          ),
        ),
    }),
  }),
});

builder.queryFields((t) => ({
  components: t.connection({
    type: ComponentRef,
    nullable: false,
    description:
      'Searches every bundle that the caller may see: `components(purl: "pkg:npm/lodash", range: "<4.17.21")`.',
    complexity: complexityByRows(LARGE_PAGE_SIZES),
    args: {
      purl: t.arg.string({ description: 'With or without a version.' }),
      type: t.arg.string({ description: "A purl type, or a package manager's name." }),
      name: t.arg.string({ description: 'With its namespace.' }),
      version: t.arg.string(),
      range: t.arg.string({
        description: "As the ecosystem writes ranges: npm's, PEP 440 specifiers, semantic versions of Go.",
      }),
    },
    resolve: (_root, { first, last, before, after, ...query }, { database, principal }) => {
      if (last != null || before != null) {
        throw new InvalidInputError('Components are listed forwards only: use first and after');
      }
      return connectionById({ first, after }, LARGE_PAGE_SIZES, (range) =>
        searchComponents(database, principal, query, { after: range.after ?? 0, limit: range.limit }),
      );
    },
  }),
}));
