import type { User } from '../../../support/registry-stack.ts';

/** Of the private project `apps` olga is an owner, ada a developer, bob a viewer, eve nothing. */
export const CALLERS = ['anonymous', 'eve', 'bob', 'ada', 'olga', 'admin'] as const satisfies User[];

/** What a caller gets: `yes`, `null`, `none` (an empty list), or the code of the error. */
export interface PermissionRow {
  field: string;
  /** `N`: an image of its own in `apps/images`, with the tag 1; `R`: a repository of `apps`; `D`: a digest of the image. */
  operation: string;
  outcomes: Record<(typeof CALLERS)[number], string>;
}

const REFUSAL = '{ __typename ... on Error { code } }';

const row = (field: string, operation: string, ...outcomes: string[]): PermissionRow => ({
  field,
  operation,
  outcomes: Object.fromEntries(
    CALLERS.map((as, index) => [as, outcomes[index]]),
  ) as PermissionRow['outcomes'],
});
const query = (name: string, operation: string, ...outcomes: string[]) =>
  row(`Query.${name}`, `{ x: ${name}${operation} }`, ...outcomes);
const mutation = (name: string, args: string, ...outcomes: string[]) =>
  row(`Mutation.${name}`, `mutation { x: ${name}(${args}) ${REFUSAL} }`, ...outcomes);
const subscription = (name: string, operation: string, ...outcomes: string[]) =>
  row(`Subscription.${name}`, `subscription { x: ${name}${operation} }`, ...outcomes);

const [yes, no, none, missing] = ['yes', 'null', 'none', 'not-found'];
const [anonymous, denied, noName] = ['registry-unauthorized', 'registry-denied', 'name-unknown'];
const [unknown, forbidden] = ['unauthenticated', 'forbidden'];

/** What they get in the order of the callers. */
const ANYBODY = [yes, yes, yes, yes, yes, yes];
const USERS = [unknown, yes, yes, yes, yes, yes];
const MEMBERS = [anonymous, denied, yes, yes, yes, yes];
const MEMBERS_SEE = [no, no, yes, yes, yes, yes];
const MEMBERS_LIST = [none, none, yes, yes, yes, yes];
const MEMBERS_HEAR = [missing, missing, yes, yes, yes, yes];
const DEVELOPERS = [anonymous, denied, denied, yes, yes, yes];
const OWNERS = [anonymous, denied, denied, denied, yes, yes];
/** All but the last: what administrators get stands behind it. */
const NO_ADMINS = [unknown, forbidden, forbidden, forbidden, forbidden];

export const REGISTRY_ROWS: PermissionRow[] = [
  query('repository', '(project: "apps", name: "images") { name }', ...MEMBERS_SEE),
  query('repositories', '(filter: { project: "apps" }) { nodes { name } }', ...MEMBERS_LIST),
  query('image', '(path: "apps/images/N") { name }', ...MEMBERS_SEE),
  query('images', '(filter: { project: "apps", name: "N" }) { nodes { name } }', ...MEMBERS_LIST),
  query('manifests', '(first: 1) { nodes { digest } }', ...ANYBODY),
  query('blob', '(digest: "L") { size }', ...MEMBERS_SEE),
  query(
    'retentionPreview',
    '(project: "apps", name: "images", rules: {}) { tag }',
    anonymous,
    denied,
    denied,
    denied,
    none,
    none,
  ),
  query('garbage', ' { kind }', ...NO_ADMINS, none),
  query('garbageRuns', ' { nodes { number } }', ...NO_ADMINS, yes),
  query('imagePackages', '(project: "apps", repository: "images", page: 1, size: 1) { total }', ...MEMBERS),
  query('imagePackage', '(project: "apps", repository: "images", image: "N") { name }', ...MEMBERS),
  query(
    'imageVersions',
    '(project: "apps", repository: "images", image: "N", page: 1, size: 1) { total }',
    ...MEMBERS,
  ),
  query('imageVersion', '(project: "apps", repository: "images", image: "N", tag: "1") { name }', ...MEMBERS),
  query(
    'storedManifest',
    '(project: "apps", repository: "images", image: "N", reference: "1") { digest }',
    ...MEMBERS,
  ),
  query('nameTaken', '(project: "apps")', ...USERS),
  query('namedRepositories', '(project: "apps", page: 1, size: 1) { total }', ...USERS),
  query('namedRepository', '(project: "apps", name: "images") { name }', ...MEMBERS),
  query('platformAccounts', ' { name }', ...NO_ADMINS, none),
  mutation('setRepositoryMember', 'project: "apps", name: "R", user: "eve", role: VIEWER', ...OWNERS),
  mutation(
    'grantRoles',
    'project: "apps", repositories: ["R"], grants: [{ user: "eve", role: VIEWER }]',
    ...OWNERS,
  ),
  mutation('createRepository', 'input: { project: "apps", name: "new-R" }', ...OWNERS),
  mutation('changeRepository', 'project: "apps", name: "R", changes: {}', ...OWNERS),
  mutation('deleteRepository', 'project: "apps", name: "R"', ...OWNERS),
  mutation('setRetention', 'project: "apps", name: "R"', ...OWNERS),
  mutation('tagManifest', 'image: "apps/images/N", reference: "1", tag: "2"', ...DEVELOPERS),
  mutation('renameTag', 'image: "apps/images/N", from: "1", to: "2"', ...DEVELOPERS),
  mutation('promoteTag', 'image: "apps/images/N", tag: "1"', ...DEVELOPERS),
  mutation('deleteTag', 'image: "apps/images/N", tag: "1"', ...DEVELOPERS),
  mutation('deleteManifest', 'image: "apps/images/N", digest: "D"', ...DEVELOPERS),
  mutation('deleteImage', 'path: "apps/images/N"', ...DEVELOPERS),
  mutation(
    'promoteImageVersion',
    'project: "apps", repository: "images", image: "N", tag: "1"',
    ...DEVELOPERS,
  ),
  mutation(
    'deleteImageVersion',
    'project: "apps", repository: "images", image: "N", tag: "1"',
    ...DEVELOPERS,
  ),
  mutation('deleteImagePackage', 'project: "apps", repository: "images", image: "N"', ...DEVELOPERS),
  mutation('createNamedProject', 'name: "project-R", displayName: "Project"', ...USERS),
  mutation('changeProject', 'name: "apps", description: "d"', ...OWNERS),
  mutation('deleteProject', 'name: "none", forced: false', anonymous, noName, noName, noName, noName, noName),
  mutation('createPlatformAccount', 'name: "account-R"', ...NO_ADMINS, yes),
  mutation('createPlatformKey', 'account: "none"', ...NO_ADMINS, missing),
  mutation('deletePlatformKey', 'account: "none", accessKey: "none"', ...NO_ADMINS, missing),
  mutation('deletePlatformAccount', 'name: "none"', ...NO_ADMINS, missing),
  subscription('imageEvents', '(path: "apps/images/N") { version }', ...MEMBERS_HEAR),
  subscription('imageFeed', '(after: "0.0") { cursor }', ...ANYBODY),
  subscription('imagePulls', '(path: "apps/images/N") { downloads }', ...MEMBERS_HEAR),
  subscription('repositoryEvents', '(project: "apps", name: "R") { version }', ...MEMBERS_HEAR),
  subscription('garbageRunFeed', '(after: "0.0") { version }', ...NO_ADMINS, yes),
];
