import type { Caller } from '../../../support/gateway.ts';

/**
 * Of the private project `apps` ada is a developer, bob a viewer, eve nothing; `reader` and `writer` are tokens of ada
 * with one scope.
 */
export const IMAGE_CALLERS = [
  'anonymous',
  'reader',
  'writer',
  'eve',
  'bob',
  'ada',
  'admin',
] as const satisfies Caller[];

/** What a caller gets: `yes`, `null`, `none` (an empty list), or the code of the error. */
export interface ImagePermissionRow {
  field: string;
  /**
   * `N`: the number of a build that waits, `F` of one that failed, `I` of the image of both, `NAME` its name; `U`: an
   * upload of ada's; `#`: a number that is new each time.
   */
  operation: string;
  outcomes: Record<(typeof IMAGE_CALLERS)[number], string>;
}

const row = (field: string, operation: string, ...outcomes: string[]): ImagePermissionRow => ({
  field,
  operation,
  outcomes: Object.fromEntries(
    IMAGE_CALLERS.map((as, index) => [as, outcomes[index]]),
  ) as ImagePermissionRow['outcomes'],
});
const REFUSAL = '{ __typename ... on Error { code } }';
const query = (name: string, operation: string, ...outcomes: string[]) =>
  row(`Query.${name}`, `{ x: ${name}${operation} }`, ...outcomes);
const mutation = (name: string, args: string, ...outcomes: string[]) =>
  row(`Mutation.${name}`, `mutation { x: ${name}(${args}) ${REFUSAL} }`, ...outcomes);
const subscription = (name: string, operation: string, ...outcomes: string[]) =>
  row(`Subscription.${name}`, `subscription { x: ${name}${operation} }`, ...outcomes);

const [yes, no, none, unknown, denied, missing] = [
  'yes',
  'null',
  'none',
  'unauthenticated',
  'forbidden',
  'not-found',
];

export const IMAGE_ROWS: ImagePermissionRow[] = [
  //                                                       anonymous reader writer  eve   bob     ada   admin
  query(
    'publishedImage',
    '(project: "apps", name: "NAME") { path }',
    unknown,
    yes,
    denied,
    no,
    yes,
    yes,
    yes,
  ),
  query('publishedImages', ' { nodes { path } }', unknown, yes, denied, none, yes, yes, yes),
  query('imageBuild', '(number: N) { state }', unknown, yes, denied, no, yes, yes, yes),
  query('imageBuilds', ' { nodes { state } }', unknown, yes, denied, none, yes, yes, yes),
  mutation(
    'createPublishedImage',
    'input: { project: "apps", name: "new-#" }',
    ...[unknown, denied, yes, missing, denied, yes, yes],
  ),
  mutation(
    'buildImage',
    'input: { project: "apps", image: "NAME", git: "https://git.example/a.git" }',
    ...[unknown, denied, yes, missing, denied, yes, yes],
  ),
  row('Mutation.uploadAndBuild', 'UPLOAD', unknown, denied, yes, missing, denied, yes, yes),
  // Writing alone does not show what there is.
  mutation('cancelImageBuild', 'number: N', unknown, denied, denied, missing, denied, yes, yes),
  mutation('retryImageBuild', 'number: F', unknown, denied, denied, missing, denied, yes, yes),
  mutation('deletePublishedImage', 'number: I', unknown, denied, denied, missing, denied, yes, yes),
  subscription('imageBuildEvents', '(number: N) { version }', unknown, yes, denied, missing, yes, yes, yes),
  subscription('imageBuildLog', '(number: F) { number }', unknown, yes, denied, missing, yes, yes, yes),
  subscription('imageBuildLogPages', '(number: F) { total }', unknown, yes, denied, missing, yes, yes, yes),
  // Its events are those that the caller may see; one of them everybody may.
  subscription('imageBuildFeed', '(after: "0.0") { number }', unknown, yes, denied, yes, yes, yes, yes),
];
