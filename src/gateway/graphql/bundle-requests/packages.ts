import type { BundleRequest } from '../../../domain/bundle-requests/bundle-request.ts';
import {
  type DependencyRow,
  type ReportedPackageRow,
  readDependencies,
  readDependenciesOfPackage,
  readPackages,
} from '../../../domain/database/sql/request-details.ts';
import type { PackageName } from '../../../domain/packages/package.ts';
import { builder, type SchemaTypes } from '../builder.ts';
import { connectionByOffset, LARGE_PAGE_SIZES } from '../connections.ts';

const PackageNameRef = builder.objectRef<PackageName>('PackageName').implement({
  fields: (t) => ({
    type: t.exposeString('type', { nullable: false }),
    name: t.exposeString('name', { nullable: false }),
    version: t.exposeString('version'),
  }),
});

const DependencyRef = builder.objectRef<DependencyRow>('Dependency').implement({
  description: 'A dependency as it is reported (type, name, version; `dev` where the ecosystem tells).',
  fields: (t) => ({
    type: t.exposeString('type', { nullable: false, description: '`npm`, `pip`, `gomod`, `go-package`, …' }),
    name: t.exposeString('name', { nullable: false }),
    version: t.exposeString('version', {
      description: 'For dependencies from elsewhere: their URL or path. Null: part of the standard library.',
    }),
    dev: t.exposeBoolean('dev'),
    replaces: t.expose('replaces', { type: PackageNameRef }),
  }),
});

const PackageRef = builder.objectRef<ReportedPackageRow>('Package').implement({
  description: 'A package of the source itself.',
  fields: (t) => ({
    type: t.exposeString('type', { nullable: false }),
    name: t.exposeString('name', { nullable: false }),
    version: t.exposeString('version'),
    path: t.exposeString('path', { nullable: false, description: 'Relative to the source root.' }),
    dev: t.exposeBoolean('dev'),
    dependenciesCount: t.exposeInt('dependenciesCount', { nullable: false }),
    dependencies: t.connection({
      type: DependencyRef,
      nullable: false,
      complexity: complexityOfPage,
      resolve: ({ id, dependenciesCount }, args, { database }) =>
        connectionByOffset(
          args,
          LARGE_PAGE_SIZES,
          (page) => readDependenciesOfPackage(database.sql, id, page),
          () => dependenciesCount,
        ),
    }),
  }),
});

type RequestFields = PothosSchemaTypes.ObjectFieldBuilder<
  PothosSchemaTypes.ExtendDefaultTypes<SchemaTypes>,
  BundleRequest
>;

export function packagesField(t: RequestFields) {
  return t.connection({
    type: PackageRef,
    nullable: false,
    complexity: complexityOfPage,
    resolve: ({ id, packagesCount }, args, { database }) =>
      connectionByOffset(
        args,
        LARGE_PAGE_SIZES,
        (page) => readPackages(database.sql, id, page),
        () => packagesCount ?? 0,
      ),
  });
}

export function dependenciesField(t: RequestFields) {
  return t.connection(
    {
      type: DependencyRef,
      nullable: false,
      description: 'Of all packages, without repeats.',
      complexity: complexityOfPage,
      args: { dev: t.arg.boolean(), type: t.arg.string(), name: t.arg.string() },
      resolve: async ({ id }, { dev, type, name, ...args }, { database }) => {
        let totalCount = 0;
        const read = async (page: { offset: number; limit: number }): Promise<DependencyRow[]> => {
          const { rows, total } = await readDependencies(database.sql, id, { dev, type, name }, page);
          totalCount = total;
          return rows;
        };
        const total = async (): Promise<number> => {
          await read({ offset: 0, limit: 0 });
          return totalCount;
        };
        const connection = await connectionByOffset(args, LARGE_PAGE_SIZES, read, total);
        return { ...connection, totalCount };
      },
    },
    {
      fields: (connection) => ({
        totalCount: connection.int({
          nullable: false,
          resolve: (parent) => (parent as { totalCount?: number }).totalCount ?? 0,
        }),
      }),
    },
  );
}

/** Rows cost little: a page of them counts like a list. */
function complexityOfPage(): { field: number; multiplier: number } {
  return { field: 5, multiplier: 3 };
}
