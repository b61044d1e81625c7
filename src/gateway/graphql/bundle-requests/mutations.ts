import { cancelRequest } from '../../../domain/bundle-requests/cancel.ts';
import { retryRequest } from '../../../domain/bundle-requests/retry.ts';
import { submitRequest } from '../../../domain/bundle-requests/submit.ts';
import type { DependencyReplacement, PackageOptions, PackageType } from '../../../domain/packages/package.ts';
import { builder } from '../builder.ts';
import { withoutNulls } from '../without-nulls.ts';
import { BundleRequestRef } from './bundle-request.ts';
import { FlagEnum, PackageManagerEnum, RequestPriorityEnum } from './enums.ts';

const WheelSelectionInput = builder.inputType('WheelSelectionInput', {
  description: 'Which wheels pip takes beside or instead of source archives; lists are comma separated.',
  fields: (t) => ({
    packages: t.string({ description: '`:all:` or names.' }),
    arch: t.string(),
    os: t.string(),
    pyVersion: t.string(),
    pyImpl: t.string(),
    abi: t.string(),
    platform: t.string({ description: 'Regular expression over platform tags; replaces arch and os.' }),
  }),
});

const PackageInput = builder.inputType('PackageInput', {
  fields: (t) => ({
    manager: t.field({ type: PackageManagerEnum, required: true }),
    path: t.string({ required: true, defaultValue: '.', description: 'Relative to the source root.' }),
    requirementsFiles: t.stringList({ description: 'pip only; relative to `path`.' }),
    requirementsBuildFiles: t.stringList({ description: 'pip only; relative to `path`.' }),
    binary: t.field({ type: WheelSelectionInput, description: 'pip only.' }),
  }),
});

const DependencyReplacementInput = builder.inputType('DependencyReplacementInput', {
  fields: (t) => ({
    type: t.string({ required: true, description: '`gomod`.' }),
    name: t.string({ required: true }),
    version: t.string({ required: true }),
    newName: t.string(),
  }),
});

const SubmitInput = builder.inputType('SubmitBundleRequestInput', {
  description: 'Either a repository (with a ref) or an upload.',
  fields: (t) => ({
    repository: t.string({ description: 'URL of a git repository.' }),
    ref: t.string({ description: "Commit, branch or tag; the remote's HEAD when absent." }),
    upload: t.int({ description: 'Number of an uploaded archive, see `uploadSource`.' }),
    project: t.string(),
    packageManagers: t.field({
      type: [PackageManagerEnum],
      description: 'Null: those that the source shows. Empty: the source only.',
    }),
    packages: t.field({ type: [PackageInput], description: 'Null: what is at the root.' }),
    flags: t.field({ type: [FlagEnum] }),
    dependencyReplacements: t.field({ type: [DependencyReplacementInput] }),
    strictIntegrity: t.boolean({ description: 'Refuse files for which no digest is known beforehand.' }),
    priority: t.field({ type: RequestPriorityEnum, description: 'Default: NORMAL.' }),
  }),
});

builder.mutationFields((t) => ({
  submitBundleRequest: t.field({
    type: BundleRequestRef,
    nullable: false,
    errors: {},
    args: { input: t.arg({ type: SubmitInput, required: true }) },
    resolve: async (_root, { input }, { database, settings, principal }) => {
      const { upload, project, packages, dependencyReplacements, flags } = input;
      return await submitRequest(database, settings, principal, {
        repository: input.repository ?? null,
        ref: input.ref ?? null,
        packageManagers: input.packageManagers ?? null,
        uploadId: upload ?? null,
        projectName: project ?? null,
        packages: byManager(packages ?? []),
        flags: flags ?? [],
        dependencyReplacements: (dependencyReplacements ?? []).map(replacementOf),
        strictIntegrity: input.strictIntegrity ?? false,
        priority: input.priority ?? 'normal',
      });
    },
  }),
  cancelBundleRequest: t.field({
    type: BundleRequestRef,
    nullable: false,
    errors: {},
    args: { number: t.arg.int({ required: true }) },
    resolve: (_root, { number }, { database, principal }) => cancelRequest(database, principal, number),
  }),
  retryBundleRequest: t.field({
    type: BundleRequestRef,
    nullable: false,
    description: 'Runs a failed or cancelled request again; steps that succeeded are kept.',
    errors: {},
    args: { number: t.arg.int({ required: true }) },
    resolve: (_root, { number }, { database, settings, principal }) =>
      retryRequest(database, settings, principal, number),
  }),
}));

function byManager(
  packages: readonly (typeof PackageInput.$inferInput)[],
): Partial<Record<string, PackageOptions[]>> {
  const grouped = Map.groupBy(packages, (one) => one.manager);
  return Object.fromEntries(
    [...grouped].map(([manager, list]) => [
      manager,
      list.map(({ manager: _, binary, ...options }) => ({
        ...withoutNulls(options),
        ...(binary && { binary: withoutNulls(binary) }),
      })),
    ]),
  );
}

function replacementOf(input: typeof DependencyReplacementInput.$inferInput): DependencyReplacement {
  return { ...withoutNulls(input), type: input.type as PackageType };
}
