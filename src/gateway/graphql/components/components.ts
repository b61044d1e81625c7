import type { ArgBuilder } from '@pothos/core';
import { findRequests } from '../../../domain/bundle-requests/find.ts';
import type { Image } from '../../../domain/database/sql/image-rows.ts';
import type { Component } from '../../../domain/database/sql/list-components.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { searchComponents } from '../../../domain/packages/search-components.ts';
import { browseImages } from '../../../domain/registry/browse.ts';
import { findReader } from '../../../domain/registry/reader.ts';
import { builder, type SchemaTypes } from '../builder.ts';
import { BundleRequestRef } from '../bundle-requests/bundle-request.ts';
import {
  complexityByRows,
  connectionById,
  connectionByText,
  LARGE_PAGE_SIZES,
  PAGE_SIZES,
} from '../connections.ts';
import { ImageRef } from '../registry/refs.ts';

export const ComponentRef = builder.objectRef<Component>('Component').implement({
  description: 'A row of the SBOMs of all bundles and images.',
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
    images: t.connection({
      type: ImageRef,
      nullable: false,
      description: 'Images that an attached SBOM says hold it, by path.',
      complexity: complexityByRows(PAGE_SIZES),
      resolve: ({ id }, args, { registry, principal }) =>
        connectionByText(
          args,
          PAGE_SIZES,
          (image: Image) => image.path,
          (range) => browseImages(registry, principal, { components: [id] }, range),
        ),
    }),
  }),
});

type Arguments = ArgBuilder<PothosSchemaTypes.ExtendDefaultTypes<SchemaTypes>>;

/** What components are looked for by. */
export function componentArguments(arg: Arguments) {
  return {
    purl: arg.string({ description: 'With or without a version.' }),
    type: arg.string({ description: "A purl type, or a package manager's name." }),
    name: arg.string({ description: 'With its namespace.' }),
    version: arg.string(),
    range: arg.string({
      description: "As the ecosystem writes ranges: npm's, PEP 440 specifiers, semantic versions of Go.",
    }),
  };
}

builder.queryFields((t) => ({
  components: t.connection({
    type: ComponentRef,
    nullable: false,
    description:
      'Searches every bundle and image that the caller may see: `components(purl: "pkg:npm/lodash", range: "<4.17.21")`.',
    complexity: complexityByRows(LARGE_PAGE_SIZES),
    args: componentArguments(t.arg),
    resolve: (_root, { first, last, before, after, ...query }, { database, registry, principal }) => {
      if (last != null || before != null) {
        throw new InvalidInputError('Components are listed forwards only: use first and after');
      }
      return connectionById({ first, after }, LARGE_PAGE_SIZES, async (range) => {
        const reader = await findReader(registry, principal);
        const page = { after: range.after ?? 0, limit: range.limit };
        return await searchComponents(database, principal, reader, query, page);
      });
    },
  }),
}));
