import { describe, expect, test } from 'vitest';
import { NetworkError } from '../../../../src/domain/errors.ts';
import { readProject } from '../../../../src/workers/ecosystems/pip/package-index.ts';

const INDEX = 'https://index.example/simple/';
const SHA = 'a'.repeat(64);
const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';

function read(contentType: string, body: string, { status = 200, url = `${INDEX}a-b/` } = {}) {
  const asked: { url: string; accept: string | undefined }[] = [];
  const artifacts = {
    fetchDocument: async (request: { url: string; headers?: Record<string, string> }) => {
      asked.push({ url: request.url, accept: request.headers?.accept });
      return { status, contentType, body: Buffer.from(body), url };
    },
  };
  const files = readProject(artifacts, { index: INDEX, headersFor: () => ({}) }, 'A_.b');
  return { files, asked };
}

const html = (links: string, head = '') =>
  read('text/html', `<!doctype html><html><head>${head}</head><body>${links}</body></html>`).files;
const json = (files: object[], meta: object = { 'api-version': '1.0' }) =>
  read(JSON_TYPE, JSON.stringify({ meta, name: 'a-b', files })).files;
const sha256 = [{ algorithm: 'sha256', hex: SHA }];

test('asks for the canonical name, for JSON first', () => {
  const { asked } = read('text/html', '');
  expect(asked).toEqual([
    {
      url: `${INDEX}a-b/`,
      accept: `${JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1`,
    },
  ]);
});

describe('HTML pages', () => {
  const file = (url: string, yanked = false, digests: object[] = sha256) => ({
    fileName: 'a-1.0.tar.gz',
    url,
    digests,
    yanked,
  });

  test.each<[string, string, string, object[]]>([
    [
      'absolute',
      `<a href="https://f.example/x/a-1.0.tar.gz#sha256=${SHA}">a</a>`,
      '',
      [file('https://f.example/x/a-1.0.tar.gz')],
    ],
    [
      'relative',
      `<A class=x HREF='../../x/a-1.0.tar.gz#sha256=${SHA}'>a</A>`,
      '',
      [file('https://index.example/x/a-1.0.tar.gz')],
    ],
    [
      'from the root',
      `<a href=/x/a-1.0.tar.gz#sha256=${SHA}>a</a>`,
      '',
      [file('https://index.example/x/a-1.0.tar.gz')],
    ],
    [
      'without scheme',
      `<a href="//f.example/a-1.0.tar.gz#sha256=${SHA}">`,
      '',
      [file('https://f.example/a-1.0.tar.gz')],
    ],
    [
      'of a base',
      `<a href="a-1.0.tar.gz#sha256=${SHA}">`,
      '<base href="/other/">',
      [file('https://index.example/other/a-1.0.tar.gz')],
    ],
    [
      'with entities',
      `<a href="https://f.example/a-1.0.tar.gz?x=1&amp;y=2#sha256=${SHA}">`,
      '',
      [file('https://f.example/a-1.0.tar.gz?x=1&y=2')],
    ],
    [
      'with a longer fragment',
      `<a href="https://f.example/a-1.0.tar.gz#egg=a&amp;sha256=${SHA}">`,
      '',
      [file('https://f.example/a-1.0.tar.gz')],
    ],
    [
      'with credentials',
      `<a href="https://u:p@f.example/a-1.0.tar.gz#sha256=${SHA}">`,
      '',
      [file('https://f.example/a-1.0.tar.gz')],
    ],
    [
      'without digest',
      '<a href="https://f.example/a-1.0.tar.gz">',
      '',
      [file('https://f.example/a-1.0.tar.gz', false, [])],
    ],
    [
      'md5 only',
      '<a href="https://f.example/a-1.0.tar.gz#md5=AB">',
      '',
      [file('https://f.example/a-1.0.tar.gz', false, [{ algorithm: 'md5', hex: 'ab' }])],
    ],
    [
      'yanked',
      `<a href="https://f.example/a-1.0.tar.gz#sha256=${SHA}" data-yanked>`,
      '',
      [file('https://f.example/a-1.0.tar.gz', true)],
    ],
    [
      'yanked with a reason',
      `<a data-yanked="a > b" href="https://f.example/a-1.0.tar.gz#sha256=${SHA}">`,
      '',
      [file('https://f.example/a-1.0.tar.gz', true)],
    ],
    ['in a comment', `<!-- <a href="https://f.example/a-1.0.tar.gz"> -->`, '', []],
    [
      'other schemes',
      '<a href="ftp://f.example/a-1.0.tar.gz"><a href="file:///a-1.0.tar.gz"><a href="javascript:a">',
      '',
      [],
    ],
    [
      'climbing names',
      '<a href="https://f.example/..%2Fa-1.0.tar.gz"><a href="https://f.example/a%00b.zip">',
      '',
      [],
    ],
  ])('links: %s', async (_, links, head, expected) => {
    expect(await html(links, head)).toEqual(expected);
  });

  test('relative to where a redirect led', async () => {
    const { files } = read('text/html', `<a href="a-1.0.tar.gz#sha256=${SHA}">`, {
      url: 'https://mirror.example/deep/a-b/',
    });
    expect(await files).toEqual([file('https://mirror.example/deep/a-b/a-1.0.tar.gz')]);
  });

  test('of another major version of the format', async () => {
    await expect(html('', '<meta name="pypi:repository-version" content="2.0">')).rejects.toThrow(
      `PyPI query failed: the page ${INDEX}a-b/ is not readable: it has API version 2.0`,
    );
  });
});

describe('JSON pages', () => {
  const entry = { filename: 'a-1.0.tar.gz', url: '../../x/a-1.0.tar.gz', hashes: { sha256: SHA } };
  const file = {
    fileName: 'a-1.0.tar.gz',
    url: 'https://index.example/x/a-1.0.tar.gz',
    digests: sha256,
    yanked: false,
  };

  test.each<[string, object, object[]]>([
    ['plain', entry, [file]],
    ['yanked', { ...entry, yanked: true }, [{ ...file, yanked: true }]],
    ['yanked with a reason', { ...entry, yanked: 'broken' }, [{ ...file, yanked: true }]],
    ['not yanked', { ...entry, yanked: false }, [file]],
    [
      'weak digests come last, unknown ones nowhere',
      { ...entry, hashes: { md5: 'aa', blake2b: 'bb', sha256: SHA } },
      [{ ...file, digests: [...sha256, { algorithm: 'md5', hex: 'aa' }] }],
    ],
    ['odd digests', { ...entry, hashes: { sha256: 7 } }, [{ ...file, digests: [] }]],
    ['no hashes', { ...entry, hashes: null }, [{ ...file, digests: [] }]],
    ['climbing name', { ...entry, filename: '../a-1.0.tar.gz' }, []],
    ['no URL', { ...entry, url: null }, []],
  ])('%s', async (_, one, expected) => {
    expect(await json([one])).toEqual(expected);
  });

  test.each([
    ['[]', 'it has no files'],
    ['{"meta":{"api-version":"2.0"},"files":[]}', 'it has API version 2.0'],
    ['null', 'it has no files'],
  ])('%s', async (body, problem) => {
    await expect(read(JSON_TYPE, body).files).rejects.toThrow(
      `PyPI query failed: the page ${INDEX}a-b/ is not readable: ${problem}`,
    );
  });

  test('cut off', async () => {
    await expect(read(JSON_TYPE, '{"files":[').files).rejects.toBeInstanceOf(NetworkError);
  });
});

test('no such project', async () => {
  await expect(read('text/html', '', { status: 404 }).files).rejects.toThrow(
    `PyPI query failed: 404 Client Error: Not Found for url: ${INDEX}a-b/`,
  );
});
