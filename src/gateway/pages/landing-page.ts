import { createHash } from 'node:crypto';
import { GRAPHQL_PATH } from '../graphql/graphql-endpoint.ts';
import { OPENAPI_DOCUMENT } from '../rest/cachito/openapi-document.ts';
import { apiReference } from './api-reference.ts';
import { Html, html } from './html.ts';
import { STYLE } from './page-style.ts';
import { prose } from './prose.ts';

/** Where the description of Cachito's API has always been. */
export const API_DOCUMENT_PATH = '/static/api_v1.yaml';

const CACHITO_PREFIX = '/api/v1';

const PLACES: readonly (readonly [path: string, title: string, text: string])[] = [
  [
    GRAPHQL_PATH,
    'GraphQL',
    'Everything that this server knows and does, with live updates, in a page to try it out.',
  ],
  ['/login', 'Log in', 'For GraphQL in this browser.'],
  ['#api', 'REST', "Cachito's API, described below: its clients work as they are."],
  [
    '/docker/ext/openapi.yaml',
    'Registry',
    "docker and podman push to this server and pull from it; bk-repo's two APIs tell what it has.",
  ],
  [`${CACHITO_PREFIX}/status`, 'Status', 'How services, upstreams and workers are.'],
  ['/readyz', 'Health', 'Whether this server can work; /livez tells whether it lives.'],
  ['/metrics', 'Metrics', 'Numbers for Prometheus.'],
];

/** The page at `/`: what this server is and where everything is. Nothing in it comes from elsewhere. */
export const LANDING_PAGE: Buffer = Buffer.from(
  html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Stowage</title>
    <style>${new Html(STYLE)}</style>
  </head>
  <body>
    <header>
      <h1>Stowage</h1>
      <p>Source code, made shippable: a verified source and every dependency it needs, as one archive that builds without a network.</p>
    </header>
    <main>
      <ul class="places">${PLACES.map(
        ([path, title, text]) => html`
        <li><a href="${relative(path)}"><b>${title}</b><span>${text}</span></a></li>`,
      )}
      </ul>
      <h2>From a terminal</h2>
      <pre>stowage prefetch https://git.example/org/app.git</pre>
      <h2 id="api">Cachito API Documentation</h2>
      ${prose(OPENAPI_DOCUMENT.info.description)}
      <p>For programs: <a href="${relative(API_DOCUMENT_PATH)}">YAML</a>, <a href="${relative(`${CACHITO_PREFIX}/openapi.json`)}">JSON</a>.</p>
      ${apiReference(OPENAPI_DOCUMENT, CACHITO_PREFIX)}
    </main>
  </body>
</html>
`.text,
);

/** A proxy may show this page below a path of its own. */
function relative(path: string): string {
  return path.replace(/^\//, '');
}

/** Its own style and nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
