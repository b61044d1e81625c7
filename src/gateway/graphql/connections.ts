import { resolveCursorConnection } from '@pothos/plugin-relay';
import type { IdRange } from '../../domain/database/sql/id-range.ts';
import type { TextRange } from '../../domain/database/sql/text-range.ts';
import { InvalidInputError } from '../../domain/errors.ts';

/** Most rows of a page; a page has 20 when nothing is said. */
export const PAGE_SIZES = { defaultSize: 20, maxSize: 100 } as const;

/** For lists whose rows are read fast: dependencies, components. */
export const LARGE_PAGE_SIZES = { defaultSize: 100, maxSize: 1_000 } as const;

/** The lists inside of a connection (`nodes`, `edges`) count as often by themselves, see builder.ts. */
export const LIST_MULTIPLIER = 3;

/** What a page costs grows with its rows: each may have reads of its own. */
export function complexityByRows({ defaultSize, maxSize }: PageSizes) {
  return ({ first, last }: ConnectionArguments): { field: number; multiplier: number } => {
    const rows = Math.min(first ?? last ?? defaultSize, maxSize);
    return { field: 5, multiplier: Math.max(1, Math.ceil(rows / LIST_MULTIPLIER)) };
  };
}

/** Arguments of a Relay connection. */
export interface ConnectionArguments {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** A connection over rows in the order of their ids (or the reverse): pages stay right while rows are added. */
export async function connectionById<Row extends { id: number }>(
  args: ConnectionArguments,
  sizes: PageSizes,
  read: (range: IdRange) => Promise<Row[]>,
): Promise<Connection<Row>> {
  requireOneDirection(args);
  const options = { args, ...sizes, toCursor: (row: unknown) => cursorOf('id', (row as Row).id) };
  const connection = await resolveCursorConnection(
    options,
    (range): Promise<Row[]> =>
      read({
        after: range.after === undefined ? null : positionOf('id', range.after),
        before: range.before === undefined ? null : positionOf('id', range.before),
        limit: range.limit,
        inverted: range.inverted,
      }),
  );
  return withoutEmptyCursors(connection as Connection<Row>);
}

/** For connections that know how to count: only if somebody asks. */
export function totalOf(connection: object): Promise<number> {
  return (connection as { total: () => Promise<number> }).total();
}

/** An empty page has the cursors that it was asked for with, if any. */
function withoutEmptyCursors<Row>({ edges, pageInfo }: Connection<Row>): Connection<Row> {
  const { startCursor, endCursor } = pageInfo;
  return {
    edges,
    pageInfo: { ...pageInfo, startCursor: startCursor || null, endCursor: endCursor || null },
  };
}

/** A connection over rows in the order of a text, by code point. */
export async function connectionByText<Row>(
  args: ConnectionArguments,
  sizes: PageSizes,
  textOf: (row: Row) => string,
  read: (range: TextRange) => Promise<Row[]>,
): Promise<Connection<Row>> {
  requireOneDirection(args);
  const options = { args, ...sizes, toCursor: (row: unknown) => cursorOf('text', textOf(row as Row)) };
  const connection = await resolveCursorConnection(
    options,
    ({ after, before, limit, inverted }): Promise<Row[]> =>
      read({
        after: after === undefined ? null : textBehind(after),
        before: before === undefined ? null : textBehind(before),
        limit,
        inverted,
      }),
  );
  return withoutEmptyCursors(connection as Connection<Row>);
}

/** A connection over a list that does not change any more, by the positions of its rows. */
export async function connectionByOffset<Row>(
  args: ConnectionArguments,
  { defaultSize, maxSize }: PageSizes,
  read: (page: { offset: number; limit: number }) => Promise<Row[]>,
  total: () => Promise<number> | number,
): Promise<Connection<Row>> {
  requireOneDirection(args);
  const { first, last } = args;
  for (const [name, size] of Object.entries({ first, last })) {
    if (size != null && size < 0) throw new InvalidInputError(`"${name}" must not be negative`);
  }
  let offset = args.after == null ? 0 : positionOf('at', args.after) + 1;
  let end = args.before == null ? Number.POSITIVE_INFINITY : positionOf('at', args.before);
  if (last != null) {
    end = Math.min(end, await total());
    offset = Math.max(offset, end - Math.min(last, maxSize));
  } else end = Math.min(end, offset + Math.min(first ?? defaultSize, maxSize));
  const size = Math.max(0, end - offset);

  // One more tells whether there is a next page.
  const rows = await read({ offset, limit: size + 1 });
  const edges = rows.slice(0, size).map((node, at) => ({ cursor: cursorOf('at', offset + at), node }));
  return {
    edges,
    pageInfo: {
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
      hasPreviousPage: offset > 0,
      hasNextPage: rows.length > size,
    },
  };
}

function requireOneDirection({ first, last }: ConnectionArguments): void {
  if (first != null && last != null) throw new InvalidInputError('Give either "first" or "last"');
}

interface PageSizes {
  defaultSize: number;
  maxSize: number;
}

interface Connection<Row> {
  edges: { cursor: string; node: Row }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
}

/** Cursors of one kind of list are none of the other. */
type CursorKind = 'id' | 'at' | 'text';

function cursorOf(kind: CursorKind, position: number | string): string {
  return Buffer.from(`${kind}:${position}`).toString('base64url');
}

function textBehind(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!text.startsWith('text:') || text.includes('\0')) throw foreignCursor(cursor);
  return text.slice('text:'.length);
}

function positionOf(kind: CursorKind, cursor: string): number {
  const match = /^(id|at):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (match?.[1] !== kind) throw foreignCursor(cursor);
  return Number(match[2]);
}

function foreignCursor(cursor: string): InvalidInputError {
  return new InvalidInputError(`"${cursor.slice(0, 60)}" is not a cursor of this list`);
}
