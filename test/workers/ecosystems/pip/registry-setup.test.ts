import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pip } from '../../../../src/workers/ecosystems/pip/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { makeSdist, type PythonIndex, sdistFiles, startPythonIndex } from '../../../support/python-index.ts';
import { resolveContext, temporaryDirectory } from '../../../support/resolve-context.ts';

const COMMIT = 'ab'.repeat(20);
const GIT_URL = 'https://git.example/team/git-project.git';
const INDEX = { name: 'PIP_INDEX_URL', value: '{stowage-registry:pip-hosted:url-with-credentials}simple' };
const RAW = '{stowage-registry:pip-raw:url-with-credentials}';

let index: PythonIndex;
beforeAll(async () => {
  index = await startPythonIndex([makeSdist('plain', '1.0')]);
});
afterAll(() => index.close());

async function resolve(requirements: string, settings = {}) {
  const { context } = resolveContext({
    source: memorySourceTree({
      'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n',
      'requirements.txt': requirements,
    }),
    settings: { pypiIndex: index.url, ...settings },
    trees: { [`${GIT_URL}#${COMMIT}`]: memorySourceTree(sdistFiles('git-project', '7.0')) },
  });
  const { registry } = await pip.resolve(context);
  const files = registry.configurationFiles.map(({ path, content }) => [path, content.toString()] as const);
  return { environment: registry.environment, files: Object.fromEntries(files) };
}

describe('The setup for the registry of the request', () => {
  test('is a variable when there are releases only', async () => {
    expect(await resolve('plain==1.0\n')).toEqual({
      environment: [{ ...INDEX, kind: 'literal' }],
      files: {},
    });
  });

  test('points git and URL dependencies to our archives, with their qualifiers and without -e', async () => {
    const { path, digest } = index.files[0]!;
    const url = new URL(path, index.url).href;
    const { files } = await resolve(
      `# first\n-e git+${GIT_URL}@${COMMIT}#egg=git_project&subdirectory=sub\nplain==1.0\n` +
        `by_url[extra] @ ${url}#cachito_hash=sha256:${digest} ; python_version >= "3"\n`,
    );
    expect(files).toEqual({
      'app/requirements.txt':
        `# first\ngit-project @ ${RAW}git.example/team/git-project/git-project-external-gitcommit-${COMMIT}.tar.gz#egg=git_project&subdirectory=sub\nplain==1.0\n` +
        `by-url[extra] @ ${RAW}external-by-url/by-url-external-sha256-${digest}.tar.gz#cachito_hash=sha256:${digest} ; python_version >= "3"\n`,
    });
  });

  test("brings the CA of the operator's certificate", async () => {
    const registryCaFile = join(temporaryDirectory(), 'ca.pem');
    writeFileSync(registryCaFile, 'a certificate\n');
    expect(await resolve('plain==1.0\n', { registryCaFile })).toEqual({
      environment: [
        { name: 'PIP_CERT', value: 'app/package-index-ca.pem', kind: 'path' },
        { ...INDEX, kind: 'literal' },
      ],
      files: { 'app/package-index-ca.pem': 'a certificate\n' },
    });
  });
});
