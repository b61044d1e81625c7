/** The HTML form of an index page (PEP 503, 592, 629): only anchors and a few tags matter. */
export interface ProjectPage {
  /** `repository-version` of PEP 629. */
  apiVersion: string | null;
  /** `href` of a `<base>`. */
  base: string | null;
  links: { href: string; yanked: boolean }[];
}

/** Never fails: what is no tag is text. */
export function parseProjectPage(html: string): ProjectPage {
  const page: ProjectPage = { apiVersion: null, base: null, links: [] };
  for (const { name, attributes } of tags(html)) {
    const href = attributes.get('href');
    if (name === 'a' && href !== undefined) {
      page.links.push({ href: href.trim(), yanked: attributes.has('data-yanked') });
    } else if (name === 'base' && href !== undefined) page.base ??= href.trim();
    else if (name === 'meta' && attributes.get('name')?.toLowerCase() === 'pypi:repository-version') {
      page.apiVersion = attributes.get('content') ?? null;
    }
  }
  return page;
}

interface Tag {
  name: string;
  attributes: Map<string, string>;
}

const WANTED = /<(a|base|meta)(?=[\s/>])|<!--/gi;
const ATTRIBUTE = /[\s/]*(?:([^\s/>=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?|(>)|(["'=]))/y;

function* tags(html: string): Generator<Tag> {
  let at = 0;
  for (;;) {
    WANTED.lastIndex = at;
    const start = WANTED.exec(html);
    if (!start) return;
    at = WANTED.lastIndex;
    if (start[0] === '<!--') {
      const end = html.indexOf('-->', at);
      if (end < 0) return;
      at = end + 3;
      continue;
    }
    const attributes = new Map<string, string>();
    for (;;) {
      ATTRIBUTE.lastIndex = at;
      const match = ATTRIBUTE.exec(html);
      if (!match) break;
      at = ATTRIBUTE.lastIndex;
      if (match[5]) break;
      const name = match[1]?.toLowerCase();
      if (name && !attributes.has(name)) {
        attributes.set(name, decodeEntities(match[2] ?? match[3] ?? match[4] ?? ''));
      }
    }
    yield { name: start[1]!.toLowerCase(), attributes };
  }
}

const ENTITIES: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  num: '#',
  nbsp: ' ',
};

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,6}));/g,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return ENTITIES[name as string] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
