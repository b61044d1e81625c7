/** Which page of what was asked for. */
export interface AskedPage {
  /** Absolute, without a query. */
  url: string;
  page: number;
  /** After the cap. */
  perPage: number;
  /** Further parameters of the links, in their order. */
  parameters: readonly (readonly [name: string, value: string])[];
}

export interface PageMeta {
  first: string;
  last: string;
  next: string | null;
  previous: string | null;
  page: number;
  pages: number;
  per_page: number;
  total: number;
}

/** `meta` of a list (cachito.md 1.5). The last page of an empty list has the number 0. */
export function pageMeta(asked: AskedPage, total: number): PageMeta {
  const { page, perPage } = asked;
  const pages = pagesOf(total, perPage);
  return {
    first: linkTo(asked, 1),
    last: linkTo(asked, pages),
    next: page < pages ? linkTo(asked, page + 1) : null,
    previous: page > 1 ? linkTo(asked, page - 1) : null,
    page,
    pages,
    per_page: perPage,
    total,
  };
}

/** The first page is always there, even when the list is empty. */
export function isPageOf({ page, perPage }: AskedPage, total: number): boolean {
  return page === 1 || page <= pagesOf(total, perPage);
}

function pagesOf(total: number, perPage: number): number {
  return Math.ceil(total / perPage);
}

function linkTo({ url, perPage, parameters }: AskedPage, page: number): string {
  const all = [['page', String(page)], ['per_page', String(perPage)], ...parameters] as const;
  return `${url}?${all.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}
