import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../src/domain/garbage/collect-garbage.ts';
import { GRACE } from '../../../../src/domain/garbage/garbage.ts';
import { type GraphQLResult, RegistryGraphQL } from '../../../support/registry-graphql.ts';
import { RegistryStack, sha256, type User } from '../../../support/registry-stack.ts';
import { CALLERS, REGISTRY_ROWS } from './permissions.ts';

let stack: RegistryStack;
let graphql: RegistryGraphQL;
let counter = 0;

beforeAll(async () => {
  stack = await RegistryStack.start();
  graphql = new RegistryGraphQL(stack);
  // Something that everybody may see.
  await stack.pushImage('library/images/public', '1', 'public', 'admin');
  await stack.database.sql.query(
    `update repositories r set is_public = true from projects p where p.id = r.project_id and p.name = 'library'`,
  );
  // A run of the collector to tell of.
  const { database, blobs } = stack;
  await collectGarbage({ database, blobs, grace: GRACE, strayFiles: false });
});
afterAll(async () => await stack?.close());

describe.each(REGISTRY_ROWS)('$field: $operation', ({ operation, outcomes }) => {
  test('gives everybody what is theirs', async () => {
    const actual: Record<string, string> = {};
    for (const as of CALLERS) actual[as] = await outcomeOf(as, operation);
    expect(actual).toEqual(outcomes);
  });
});

async function outcomeOf(as: User, operation: string): Promise<string> {
  counter += 1;
  const name = `image-${counter}`;
  const repository = `repository-${counter}`;
  const image = await stack.pushImage(`apps/images/${name}`, '1');
  await graphql.change(`createRepository(input: {project: "apps", name: "${repository}"})`, 'name', 'admin');
  const text = operation
    .replaceAll(/\bN\b/g, name)
    .replaceAll(/\bR\b/g, repository)
    .replaceAll('"D"', `"${image.digest}"`)
    .replaceAll('"L"', `"${sha256(`layer of apps/images/${name}:1`)}"`);
  if (!text.startsWith('subscription')) return outcome(await graphql.run(text, {}, as));
  const stream = graphql.subscribe(text, {}, as);
  const { value, done } = await stream.next();
  await stream.return(undefined);
  return done ? 'null' : outcome(value);
}

function outcome({ data, errors }: GraphQLResult): string {
  if (errors) return String(errors[0]!.extensions.code);
  const { x } = data;
  if (x === null) return 'null';
  if (x.nodes?.length === 0 || (Array.isArray(x) && x.length === 0)) return 'none';
  return x.code ?? 'yes';
}
