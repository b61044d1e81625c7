import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestGateway } from '../../support/gateway.ts';

let gateway: TestGateway;
let page: Response;
let html: string;

beforeAll(async () => {
  gateway = await TestGateway.start();
  page = await fetch(`${gateway.url}/graphql`, {
    headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' },
  });
  html = await page.text();
});
afterAll(async () => {
  await gateway?.close();
});

test('browsers get GraphiQL, with the headers of every page', () => {
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  expect(Object.fromEntries(page.headers)).toMatchObject({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  });
  expect(html).toContain('<title>Stowage</title>');
  expect(html).toContain('query Requests');
});

test('nothing is loaded from other hosts', () => {
  // Scripts hold texts that look like tags: only what is outside of them is markup.
  const markup = html
    .replaceAll(/(<script[^>]*>)[\s\S]*?<\/script>/g, '$1')
    .replaceAll(/<style[^>]*>[\s\S]*?<\/style>/g, '');
  const references = [...markup.matchAll(/\s(?:src|href|action)\s*=\s*["']?([^"'\s>]+)/gi)].map(
    (match) => match[1]!,
  );
  expect(references.filter((reference) => !reference.startsWith('data:'))).toEqual([]);
  const imports = [...html.matchAll(/@import\s+(?:url\()?["']?(https?:[^"')]+)/g)].map((match) => match[1]);
  expect(imports).toEqual([]);
});

test('no credentials are in it', () => {
  expect(html).not.toMatch(/stw_\w{8}/);
});

test('wrong credentials do not keep a browser from the page', async () => {
  const response = await fetch(`${gateway.url}/graphql`, {
    headers: { accept: 'text/html', authorization: 'Bearer stw_wrong' },
  });
  expect(response.status).toBe(200);
});
