import { NetworkError } from '../../../domain/errors.ts';
import { canonicalName } from '../../../domain/packages/python-project-name.ts';
import type { ArtifactStore, ExpectedDigest, HashAlgorithm } from '../../downloads/artifact-store.ts';
import { parseProjectPage } from './simple-page.ts';
import type { Upstream } from './upstream.ts';

/** A file that an index offers. */
export interface IndexFile {
  fileName: string;
  /** Absolute, without fragment and credentials. */
  url: string;
  digests: ExpectedDigest[];
  yanked: boolean;
}

/** PEP 691 first, PEP 503 as the form that every index has. */
const ACCEPT = [
  'application/vnd.pypi.simple.v1+json',
  'application/vnd.pypi.simple.v1+html;q=0.2',
  'text/html;q=0.1',
].join(', ');
const MAX_PAGE = 64 * 1024 * 1024;
/** The strongest first: of several digests of an index the first one is verified. */
const ALGORITHMS: readonly HashAlgorithm[] = ['sha256', 'sha512', 'sha384', 'sha1', 'md5'];

/** All files of a project. Throws NetworkError `PyPI query failed: …`. */
export async function readProject(
  artifacts: Pick<ArtifactStore, 'fetchDocument'>,
  upstream: Upstream,
  project: string,
): Promise<IndexFile[]> {
  const url = `${upstream.index}${encodeURIComponent(canonicalName(project))}/`;
  const page = await fetchPage(artifacts, upstream, url);
  try {
    return page.contentType.includes('json') ? filesOfJson(page) : filesOfHtml(page);
  } catch (cause) {
    throw queryFailed(`the page ${url} is not readable: ${(cause as Error).message}`, cause);
  }
}

interface Page {
  contentType: string;
  body: Buffer;
  url: string;
}

async function fetchPage(
  artifacts: Pick<ArtifactStore, 'fetchDocument'>,
  upstream: Upstream,
  url: string,
): Promise<Page> {
  let page: Page & { status: number };
  try {
    page = await artifacts.fetchDocument({
      url,
      headers: { accept: ACCEPT, ...upstream.headersFor(url) },
      maxBytes: MAX_PAGE,
      trusted: true,
      accept: [404],
    });
  } catch (cause) {
    if (!(cause instanceof NetworkError)) throw cause;
    throw queryFailed(cause.message, cause);
  }
  if (page.status === 404) throw queryFailed(`404 Client Error: Not Found for url: ${url}`);
  return page;
}

function filesOfJson({ body, url }: Page): IndexFile[] {
  const document = JSON.parse(body.toString('utf8')) as unknown;
  const meta = isObject(document) && isObject(document.meta) ? document.meta['api-version'] : undefined;
  if (typeof meta === 'string' && !meta.startsWith('1.')) throw new Error(`it has API version ${meta}`);
  if (!isObject(document) || !Array.isArray(document.files)) throw new Error('it has no files');
  return document.files.flatMap((file: unknown) => {
    if (!isObject(file) || typeof file.url !== 'string' || typeof file.filename !== 'string') return [];
    const hashes = isObject(file.hashes) ? file.hashes : {};
    const digests = Object.entries(hashes)
      .flatMap(([algorithm, hex]) => digestOf(algorithm, hex))
      .sort((a, b) => ALGORITHMS.indexOf(a.algorithm) - ALGORITHMS.indexOf(b.algorithm));
    // PEP 691: a reason, true or false.
    const yanked = file.yanked !== undefined && file.yanked !== false && file.yanked !== null;
    return indexFile(file.filename, file.url, url, digests, yanked);
  });
}

function filesOfHtml({ body, url }: Page): IndexFile[] {
  const page = parseProjectPage(body.toString('utf8'));
  if (page.apiVersion !== null && !page.apiVersion.startsWith('1.')) {
    throw new Error(`it has API version ${page.apiVersion}`);
  }
  const base = page.base !== null && URL.canParse(page.base, url) ? new URL(page.base, url).href : url;
  return page.links.flatMap((link) => {
    const hash = link.href.indexOf('#');
    const [, algorithm = '', hex = ''] =
      (hash >= 0 && /(?:^|&)(sha\d+|md5)=([0-9a-fA-F]+)/i.exec(link.href.slice(hash + 1))) || [];
    return indexFile(null, link.href, base, digestOf(algorithm, hex), link.yanked);
  });
}

/** Nothing that could leave its folder, and no URL that is not HTTP, comes from an index. */
function indexFile(
  name: string | null,
  href: string,
  base: string,
  digests: ExpectedDigest[],
  yanked: boolean,
): IndexFile[] {
  if (!URL.canParse(href, base)) return [];
  const url = new URL(href, base);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return [];
  url.hash = '';
  url.username = '';
  url.password = '';
  const fileName = name ?? lastSegment(url);
  if (!/^[A-Za-z0-9][A-Za-z0-9._+!~-]{0,250}$/.test(fileName)) return [];
  return [{ fileName, url: url.href, digests, yanked }];
}

function lastSegment(url: URL): string {
  const segment = url.pathname.slice(url.pathname.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

function digestOf(algorithm: string, hex: unknown): ExpectedDigest[] {
  const known = ALGORITHMS.find((one) => one === algorithm.toLowerCase());
  return known && typeof hex === 'string' && /^[0-9a-fA-F]+$/.test(hex)
    ? [{ algorithm: known, hex: hex.toLowerCase() }]
    : [];
}

function queryFailed(problem: string, cause?: unknown): NetworkError {
  return new NetworkError('fetch-failed', `PyPI query failed: ${problem}`, { cause });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
