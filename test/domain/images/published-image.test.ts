import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { ConflictError, InvalidInputError } from '../../../src/domain/errors.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { createProject } from '../../../src/domain/identity/projects.ts';
import { mappedNames, parseTarget } from '../../../src/domain/images/published-image.ts';
import { createPublishedImage } from '../../../src/domain/images/published-images.ts';
import { testDatabase } from '../../support/database.ts';

let database: Database;
beforeAll(async () => {
  database = await testDatabase();
  await createProject(database, SYSTEM, { name: 'apps' });
});
afterAll(() => database.close());

const hash = (name: string, digits: number): string =>
  createHash('sha256').update(name).digest('hex').slice(0, digits);

test.each([
  ['web', 'web'],
  ['simple_nginx', 'simple_nginx'],
  ['a--b', 'a--b'],
  ['MyApp', `myapp-x${hash('MyApp', 8)}`],
  ['myApp', `myapp-x${hash('myApp', 8)}`],
  ['-a', `a-x${hash('-a', 8)}`],
  ['a___b', `a-b-x${hash('a___b', 8)}`],
  ['a_', `a-x${hash('a_', 8)}`],
  ['___', `image-x${hash('___', 8)}`],
])('the image %s is %s in the registry', async (name, mapped) => {
  const image = await createPublishedImage(database, SYSTEM, {
    projectName: 'apps',
    repository: 'images',
    name,
  });
  expect(image).toMatchObject({ name, path: `apps/images/${mapped}`, projectName: 'apps' });
  await expect(
    createPublishedImage(database, SYSTEM, { projectName: 'apps', repository: 'images', name }),
  ).rejects.toThrow(new ConflictError('image with this name already exists.'));
});

test('a name whose place is taken gets one with more digits', async () => {
  const [eight, sixteen] = mappedNames('Taken') as [string, string];
  const create = (name: string) =>
    createPublishedImage(database, SYSTEM, { projectName: 'apps', repository: 'images', name });
  await create(eight);
  expect((await create('Taken')).path).toBe(`apps/images/${sixteen}`);
});

async function pathOf(project: string): Promise<string> {
  const rows = await database.sql.query<{ path: string }>('select path from projects where name = $1', [
    project,
  ]);
  return rows[0]!.path;
}

describe('a project', () => {
  test.each(['MyTeam', '_x', '-a.', 'a..b', '...', 'a___b'])('%s is mapped as an image is', async (name) => {
    await database.sql.query('insert into projects (name) values ($1)', [name]);
    const [mapped] = mappedNames(name);
    expect(mapped).toMatch(new RegExp(`-x${hash(name, 8)}$`));
    expect(await pathOf(name)).toBe(mapped);
    const image = await createPublishedImage(database, SYSTEM, {
      ...{ projectName: name, repository: 'images', name: 'Web' },
    });
    expect(image).toMatchObject({
      ...{ projectName: name, path: `${mapped}/images/web-x${hash('Web', 8)}` },
    });
  });

  test('keeps its path when a name is made that would have it', async () => {
    const { path } = await createProject(database, SYSTEM, { name: 'a-.b' });
    expect(path).toBe(`a-b-x${hash('a-.b', 8)}`);
    const second = await createProject(database, SYSTEM, { name: path });
    expect(second.path).toBe(`${path}-x${hash(path, 8)}`);
    expect(await pathOf('a-.b')).toBe(path);
  });

  test('whose path is taken gets one with more digits', async () => {
    await createProject(database, SYSTEM, { name: `c-d-x${hash('c-.d', 8)}` });
    expect((await createProject(database, SYSTEM, { name: 'c-.d' })).path).toBe(`c-d-x${hash('c-.d', 16)}`);
  });
});

test.each(['a/b', 'Tools', '_x', '', 'a'.repeat(65)])(
  'nothing is published to a repository "%s"',
  async (repository) => {
    await expect(
      createPublishedImage(database, SYSTEM, { projectName: 'apps', repository, name: 'web' }),
    ).rejects.toThrow(/^Images cannot be published to the repository/);
  },
);

test.each([
  ['web', { projectName: 'library', repository: 'images', name: 'web', version: 'latest' }],
  ['web:1.0', { projectName: 'library', repository: 'images', name: 'web', version: '1.0' }],
  ['apps/Web:v1', { projectName: 'apps', repository: 'images', name: 'Web', version: 'v1' }],
  ['apps/tools/web', { projectName: 'apps', repository: 'tools', name: 'web', version: 'latest' }],
])('%s names a version', (text, expected) => {
  expect(parseTarget(text, 'library')).toEqual(expected);
});

test.each(['', ':1', 'web:', 'a//b', 'a/b/c/d', 'web:.x', 'we b', 'a/b/ü', `${'a'.repeat(101)}`])(
  '"%s" names no version',
  (text) => {
    expect(() => parseTarget(text, 'library')).toThrow(InvalidInputError);
  },
);
