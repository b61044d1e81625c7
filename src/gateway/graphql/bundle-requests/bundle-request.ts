import type { BundleRequest, RequestError } from '../../../domain/bundle-requests/bundle-request.ts';
import { readConfigurationFiles, readEnvironment } from '../../../domain/bundle-requests/setup.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import { builder } from '../builder.ts';
import { ProjectRef } from '../identity/project.ts';
import { UserRef } from '../identity/user.ts';
import { BundleRef } from './bundle.ts';
import {
  FlagEnum,
  PackageManagerEnum,
  RequestPriorityEnum,
  RequestStateEnum,
  SetupFormatEnum,
} from './enums.ts';
import { LogPageRef, logOf, readLogPage } from './log.ts';
import { dependenciesField, packagesField } from './packages.ts';
import { reportFields } from './report.ts';
import { ConfigurationFileRef, EnvironmentVariableRef } from './setup.ts';
import { StateChangeRef, StepRef } from './steps.ts';

export const BundleRequestRef = builder.objectRef<BundleRequest>('BundleRequest');

builder.node(BundleRequestRef, {
  description: 'A request for everything that an offline build of one commit (or uploaded archive) needs.',
  id: { resolve: (request) => request.id, parse: numberOf },
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'stateReason' in value,
  loadMany: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.request.load(id))),
  fields: (t) => ({
    number: t.int({ nullable: false, resolve: (request) => request.id }),
    repository: t.string({
      description: 'Without credentials; null for an uploaded archive.',
      resolve: ({ repository }) => (repository === null ? null : withoutCredentials(repository)),
    }),
    requestedRef: t.exposeString('requestedRef', { description: 'Commit, branch or tag as submitted.' }),
    commit: t.exposeString('commit', { description: 'Full commit id, once it is known.' }),
    upload: t.exposeInt('uploadId', { description: 'Number of the uploaded archive.' }),
    rules: t.exposeString('rules', {
      nullable: false,
      description: '`native`, or `cachito` for requests that came over its API.',
    }),
    state: t.expose('state', { type: RequestStateEnum, nullable: false }),
    stateReason: t.exposeString('stateReason', { nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      nullable: false,
      description: 'Time of the last change of state or reason.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime' }),
    createdAtExact: t.expose('createdAtExact', { type: 'ExactDateTime', nullable: false }),
    updatedAtExact: t.expose('updatedAtExact', { type: 'ExactDateTime', nullable: false }),
    version: t.exposeInt('version', {
      nullable: false,
      description: 'Counts everything that happens to the request; see `bundleRequestEvents`.',
    }),
    attempt: t.exposeInt('attempt', { nullable: false, description: 'Raised by each retry.' }),
    detect: t.exposeBoolean('detect', {
      nullable: false,
      description: 'Package managers were not named but found in the source.',
    }),
    packageManagers: t.expose('packageManagers', { type: [PackageManagerEnum], nullable: false }),
    flags: t.expose('flags', { type: [FlagEnum], nullable: false }),
    dependencyReplacements: t.expose('dependencyReplacements', { type: 'JSON', nullable: false }),
    strictIntegrity: t.exposeBoolean('strictIntegrity', { nullable: false }),
    priority: t.expose('priority', { type: RequestPriorityEnum, nullable: false }),
    user: t.field({
      type: UserRef,
      description: 'Who submitted it.',
      resolve: ({ userId }, _args, { loaders }) => (userId === null ? null : loaders.user.load(userId)),
    }),
    submittedBy: t.field({
      type: UserRef,
      description: 'Who submitted it on behalf of `user`; null when that was the user.',
      resolve: ({ submittedById }, _args, { loaders }) =>
        submittedById === null ? null : loaders.user.load(submittedById),
    }),
    project: t.field({
      type: ProjectRef,
      resolve: ({ projectId }, _args, { loaders }) =>
        projectId === null ? null : loaders.project.load(projectId),
    }),
    error: t.expose('error', { type: RequestErrorRef, description: 'Why it failed.' }),
    steps: t.field({
      type: [StepRef],
      nullable: false,
      resolve: ({ id }, _args, { loaders }) => loaders.steps.load(id),
    }),
    history: t.field({
      type: [StateChangeRef],
      nullable: false,
      description: 'Every state and reason, oldest first.',
      resolve: ({ id }, _args, { loaders }) => loaders.history.load(id),
    }),
    plan: t.expose('packages', {
      type: 'JSON',
      nullable: false,
      description: 'By package manager: the packages that are worked on, with their options.',
    }),
    packagesCount: t.exposeInt('packagesCount', { description: 'Known when the request is complete.' }),
    dependenciesCount: t.exposeInt('dependenciesCount'),
    ...reportFields(t),
    packages: packagesField(t),
    dependencies: dependenciesField(t),
    environment: t.field({
      type: [EnvironmentVariableRef],
      nullable: false,
      description: 'What a build sets so that it finds the dependencies.',
      args: { format: t.arg({ type: SetupFormatEnum, description: FORMAT }) },
      resolve: (request, { format }, { database, baseUrl }) =>
        readEnvironment(database.sql, { request, form: format ?? null, baseUrl }),
    }),
    configurationFiles: t.field({
      type: [ConfigurationFileRef],
      nullable: false,
      description: 'Files that a build lays over the unpacked bundle, by path.',
      args: { format: t.arg({ type: SetupFormatEnum, description: FORMAT }) },
      resolve: (request, { format }, { database, baseUrl }) =>
        readConfigurationFiles(database.sql, { request, form: format ?? null, baseUrl }),
    }),
    log: t.field({
      type: LogPageRef,
      nullable: false,
      args: {
        afterLine: t.arg.int({ required: true, defaultValue: 0 }),
        limit: t.arg.int({ required: true, defaultValue: 1_000, description: 'At most 5,000.' }),
      },
      resolve: ({ id }, page, context) => readLogPage(context, logOf(id), page),
    }),
    bundle: t.field({
      type: BundleRef,
      description: 'Null until the request is complete.',
      resolve: async (request, _args, { loaders }) => {
        const { bundleDigest } = request;
        const bundle = bundleDigest === null ? null : await loaders.bundle.load(bundleDigest);
        return bundle === null ? null : { ...bundle, requestNumber: request.id };
      },
    }),
  }),
});

const FORMAT =
  'Default: OFFLINE; for requests that came over the API of Cachito REGISTRY, unless they have the flag OFFLINE_BUNDLE.';

function numberOf(id: string): number {
  if (!/^\d{1,15}$/.test(id)) throw new InvalidInputError('This is not the id of a bundle request');
  return Number(id);
}

const RequestErrorRef = builder.objectRef<RequestError>('BundleRequestError').implement({
  fields: (t) => ({
    code: t.exposeString('code', { nullable: false, description: 'For programs, e.g. `checksum-mismatch`.' }),
    message: t.exposeString('message', { nullable: false }),
    hint: t.exposeString('hint'),
    details: t.expose('details', { type: 'JSON', nullable: false }),
    errorType: t.exposeString('errorType', { nullable: false, description: "Cachito's name for it." }),
    errorOrigin: t.exposeString('errorOrigin', {
      nullable: false,
      description: '`client`: the request or its source must change. `server`: try again.',
    }),
  }),
});
