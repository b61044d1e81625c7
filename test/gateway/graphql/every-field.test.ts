import {
  execute,
  type GraphQLField,
  type GraphQLOutputType,
  getNamedType,
  isAbstractType,
  isLeafType,
  isRequiredArgument,
  parse,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { submitRequest } from '../../../src/domain/bundle-requests/submit.ts';
import { DomainError } from '../../../src/domain/errors.ts';
import { createPlatformAccount } from '../../../src/domain/identity/platform-accounts.ts';
import { ANONYMOUS, type Principal, SYSTEM } from '../../../src/domain/identity/principal.ts';
import { createProject } from '../../../src/domain/identity/projects.ts';
import { addToken } from '../../../src/domain/identity/tokens.ts';
import { openRegistry, type Registry } from '../../../src/domain/registry/registry.ts';
import { contextOf } from '../../../src/gateway/graphql/context.ts';
import { schema } from '../../../src/gateway/graphql/schema.ts';
import { TestGateway } from '../../support/gateway.ts';
import { submitImageBuild } from '../../support/image-builds.ts';
import { OCI_MANIFEST, sha256 } from '../../support/registry-stack.ts';

/** In the names and contents of everything in a private project: who is not a member must see it nowhere. */
const MARK = 'hidden4711';

let gateway: TestGateway;
let registry: Registry;
let numbers: { request: number; build: number };

beforeAll(async () => {
  gateway = await TestGateway.start();
  const { database, settings, blobs } = gateway.stack;
  registry = openRegistry({ settings, database, blobs });
  const admin = await gateway.principal('admin');
  await createProject(database, SYSTEM, { name: MARK });
  const repository = `https://git.example/${MARK}.git`;
  const submission = { repository, packageManagers: [], projectName: MARK };
  const { id: request } = await submitRequest(database, settings, admin, submission);
  const { id: build } = await submitImageBuild(database, { project: MARK, image: MARK, repository });
  numbers = { request, build };
  await createPlatformAccount(database, admin, MARK);
  await addToken(database, { userName: 'admin', name: MARK });
  await gateway.data(`mutation { deleteImage(path: "${MARK}/images/none") { __typename } }`, {}, 'admin');
  await pushImage(`${MARK}/images/${MARK}`);
});
afterAll(async () => {
  await registry?.close();
  await gateway?.close();
});

async function pushImage(name: string): Promise<void> {
  const put = async (path: string, body: string, type: string, method: string) => {
    const headers = { ...gateway.headers('admin'), 'content-type': type };
    const response = await fetch(`${gateway.url}/v2/${name}/${path}`, { method, headers, body });
    expect(response.status).toBe(201);
  };
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Labels: { of: MARK } } });
  for (const blob of [config, MARK]) {
    await put(`blobs/uploads/?digest=${sha256(blob)}`, blob, 'application/octet-stream', 'POST');
  }
  const descriptor = (content: string, mediaType: string) => ({
    mediaType,
    digest: sha256(content),
    size: content.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: [descriptor(MARK, 'application/vnd.oci.image.layer.v1.tar')],
  };
  await put(`manifests/${MARK}`, JSON.stringify(manifest), OCI_MANIFEST, 'PUT');
}

const IMAGE = `project: "${MARK}", repository: "images", image: "${MARK}"`;
const PAGE = 'page: 1, size: 10';

/** How to ask for each; `shows`: whether an administrator is told of the private project then. */
const ROOTS: Record<string, { args?: () => string; shows: boolean }> = {
  auditLog: { shows: true },
  blob: { args: () => `digest: "${sha256(MARK)}"`, shows: true },
  bundleRequest: { args: () => `number: ${numbers.request}`, shows: true },
  bundleRequestMetrics: { args: () => 'page: 1', shows: false },
  bundleRequestMetricsSummary: { shows: false },
  bundleRequestPage: { args: () => 'page: 1', shows: true },
  bundleRequestVersion: { args: () => `number: ${numbers.request}`, shows: false },
  bundleRequests: { shows: true },
  bundleRequestsByNumber: { args: () => `numbers: [${numbers.request}]`, shows: true },
  components: { args: () => 'name: "x"', shows: false },
  deadJobs: { shows: false },
  garbage: { shows: false },
  garbageRuns: { shows: false },
  image: { args: () => `path: "${MARK}/images/${MARK}"`, shows: true },
  imageBuild: { args: () => `number: ${numbers.build}`, shows: true },
  imageBuilds: { shows: true },
  imagePackage: { args: () => IMAGE, shows: true },
  imagePackages: { args: () => `project: "${MARK}", repository: "images", ${PAGE}`, shows: true },
  imageVersion: { args: () => `${IMAGE}, tag: "${MARK}"`, shows: true },
  imageVersions: { args: () => `${IMAGE}, ${PAGE}`, shows: true },
  images: { shows: true },
  latestBundleRequest: {
    args: () => `repositoryName: "${MARK}", ref: "${'c'.repeat(40)}"`,
    shows: false,
  },
  manifests: { shows: true },
  me: { shows: false },
  nameTaken: { args: () => `project: "${MARK}"`, shows: false },
  namedRepositories: { args: () => `project: "${MARK}", ${PAGE}`, shows: true },
  namedRepository: { args: () => `project: "${MARK}", name: "images"`, shows: true },
  node: { args: () => `id: "${idOf(numbers.request)}"`, shows: true },
  nodes: { args: () => `ids: ["${idOf(numbers.request)}"]`, shows: true },
  platformAccounts: { shows: true },
  projects: { shows: true },
  publishedImage: { args: () => `project: "${MARK}", name: "${MARK}"`, shows: true },
  publishedImages: { shows: true },
  repositories: { shows: true },
  repository: { args: () => `project: "${MARK}", name: "images"`, shows: true },
  retentionPreview: {
    args: () => `project: "${MARK}", name: "images", rules: { keepLatest: 1 }`,
    shows: false,
  },
  status: { shows: false },
  storedManifest: { args: () => `${IMAGE}, reference: "${MARK}"`, shows: false },
  taskQueues: { shows: false },
  tokens: { args: () => 'user: "admin"', shows: true },
  user: { args: () => 'name: "admin"', shows: false },
  workers: { shows: false },
};

/** Of fields below that need some. */
const ARGUMENTS: Record<string, string> = {
  'Image.manifest': `reference: "${MARK}"`,
  'Image.tag': `name: "${MARK}"`,
};

function idOf(number: number): string {
  return Buffer.from(`BundleRequest:${number}`).toString('base64');
}

const DEPTH = 5;

/** Every field below that can be reached without coming to the same type again. */
function selectionOf(type: GraphQLOutputType, path: readonly string[]): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  const types = isAbstractType(named) ? schema.getPossibleTypes(named) : [named];
  const fragments = types.map(({ name }) => {
    const object = schema.getType(name) as { getFields(): Record<string, GraphQLField<unknown, unknown>> };
    const fields = Object.values(object.getFields()).flatMap((field) =>
      fieldOf(name, field, [...path, name]),
    );
    return `... on ${name} { __typename ${fields.join(' ')} }`;
  });
  return `{ __typename ${fragments.join(' ')} }`;
}

function fieldOf(parent: string, field: GraphQLField<unknown, unknown>, path: readonly string[]): string[] {
  const named = getNamedType(field.type);
  if (!isLeafType(named) && (path.includes(named.name) || path.length >= DEPTH)) return [];
  const args = ARGUMENTS[`${parent}.${field.name}`];
  if (args === undefined && field.args.some(isRequiredArgument)) {
    throw new Error(`${parent}.${field.name} needs arguments: say here which`);
  }
  return [`${field.name}${args ? `(${args})` : ''} ${selectionOf(field.type, path)}`];
}

/** What is answered, and the errors that are no refusals. */
async function ask(root: string, principal: Principal): Promise<{ text: string; defects: string[] }> {
  const args = ROOTS[root]?.args?.() ?? '';
  const { type } = schema.getQueryType()!.getFields()[root]!;
  const { database, settings, blobs, hub } = gateway.stack;
  const { data, errors = [] } = await execute({
    schema,
    document: parse(`{ x: ${root}${args && `(${args})`} ${selectionOf(type, ['Query'])} }`),
    contextValue: contextOf(
      { database, settings, blobs, hub, registry },
      { principal, baseUrl: 'http://gateway.example', isStored: true },
    ),
  });
  const defects = errors
    .filter(({ originalError }) => !isRefusal(originalError))
    .map(({ message }) => message);
  return { text: JSON.stringify(data), defects };
}

function isRefusal(error: unknown): boolean {
  return error instanceof DomainError || (error as Error | undefined)?.name === 'PothosError';
}

test('each query is in the table', () => {
  expect(Object.keys(ROOTS).sort()).toEqual(Object.keys(schema.getQueryType()!.getFields()).sort());
});

describe.each(Object.keys(ROOTS))('%s, with everything below', (root) => {
  test('tells administrators', async () => {
    const { text, defects } = await ask(root, await gateway.principal('admin'));
    expect(defects).toEqual([]);
    expect(text.includes(MARK)).toBe(ROOTS[root]!.shows);
  });

  test.each(['eve', 'anonymous'])('does not tell %s', async (name) => {
    const principal = name === 'anonymous' ? ANONYMOUS : await gateway.principal(name);
    const { text, defects } = await ask(root, principal);
    expect(defects).toEqual([]);
    expect(text).not.toContain(MARK);
  });
});
