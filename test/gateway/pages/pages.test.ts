import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { html } from '../../../src/gateway/pages/html.ts';
import { OPENAPI_DOCUMENT } from '../../../src/gateway/rest/cachito/openapi-document.ts';
import { TestGateway } from '../../support/gateway.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});

describe('The page at /', () => {
  test('needs nothing from elsewhere, and no script', async () => {
    const response = await fetch(`${gateway.url}/`);
    const page = await response.text();
    const style = /<style>([\s\S]*)<\/style>/.exec(page)![1]!;
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; ` +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    expect(page).not.toMatch(/<script|<link|<img|<iframe| on\w+=|@import|url\(|style="/i);
    const links = [...page.matchAll(/(?:href|src)="([^"]*)"/g)].map((match) => match[1]!);
    // Relative, so that a proxy may show the page below a path of its own.
    expect(links.filter((link) => !/^(?:#|[\w./]+$)/.test(link) || link.startsWith('/'))).toEqual([]);
  });

  test('its links lead somewhere', async () => {
    const page = await (await fetch(`${gateway.url}/`)).text();
    const links = new Set([...page.matchAll(/href="([^"]*)"/g)].map((match) => match[1]!));
    for (const link of links) {
      if (link.startsWith('#')) expect(page).toContain(` id="${link.slice(1)}"`);
      else {
        const response = await fetch(new URL(link, gateway.url), { headers: { accept: 'text/html' } });
        expect([link, response.status]).toEqual([link, 200]);
      }
    }
  });

  test('describes every call', async () => {
    const page = await (await fetch(`${gateway.url}/`)).text();
    for (const path of Object.keys(OPENAPI_DOCUMENT.paths))
      expect(page).toContain(`<code>/api/v1${path}</code>`);
    for (const name of Object.keys(OPENAPI_DOCUMENT.components.schemas)) {
      expect(page).toContain(` id="schema-${name}"`);
    }
  });

  test('is not sent twice', async () => {
    const etag = (await fetch(`${gateway.url}/`)).headers.get('etag')!;
    const response = await fetch(`${gateway.url}/`, { headers: { 'if-none-match': etag } });
    expect([response.status, await response.text()]).toEqual([304, '']);
  });
});

test('what is put into a page is escaped', () => {
  expect(html`<p title="${'"'}">${"<b>&'"}${null}${[1, html`<i>${'<'}</i>`]}</p>`.text).toBe(
    '<p title="&quot;">&lt;b&gt;&amp;&#39;1<i>&lt;</i></p>',
  );
});

describe('GET /healthcheck', () => {
  test('OK', async () => {
    const response = await fetch(`${gateway.url}/healthcheck`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/plain; charset=utf-8',
      'OK',
    ]);
  });

  test('500 without a database', async () => {
    const other = await TestGateway.start();
    await other.stack.database.pool.end();
    const response = await fetch(`${other.url}/healthcheck`);
    expect([response.status, await response.text()]).toEqual([500, 'The database does not answer']);
    await other.stop();
    await other.stack.hub.close();
  });
});
