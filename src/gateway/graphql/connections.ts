import { resolveCursorConnection } from '@pothos/plugin-relay';
import { InvalidInputError } from '../../domain/errors.ts';

/** Most rows of a page; a page has 20 when nothing is said. */
export const PAGE_SIZES = { defaultSize: 20, maxSize: 100 } as const;

/** For lists whose rows are read fast: dependencies, components. */
export const LARGE_PAGE_SIZES = { defaultSize: 100, maxSize: 1_000 } as const;

/** Arguments of a Relay connection. */
export interface ConnectionArguments {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

export interface IdRange {
  /** Ids behind and before which the page lies, in the order of the list. */
  after: number | null;
  before: number | null;
  limit: number;
  /** The page is counted from the list's end: rows are wanted in reverse order. */
  inverted: boolean;
}

/** A connection over rows in the order of their ids (or the reverse): pages stay right while rows are added. */
export async function connectionById<Row extends { id: number }>(
  args: ConnectionArguments,
  sizes: { defaultSize: number; maxSize: number },
  read: (range: IdRange) => Promise<Row[]>,
): Promise<Connection<Row>> {
  const options = { args, ...sizes, toCursor: (row: unknown) => cursorOf((row as Row).id) };
  const connection = await resolveCursorConnection(
    options,
    (range): Promise<Row[]> =>
      read({
        after: range.after === undefined ? null : idOf(range.after),
        before: range.before === undefined ? null : idOf(range.before),
        limit: range.limit,
        inverted: range.inverted,
      }),
  );
  return connection as Connection<Row>;
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

function cursorOf(id: number): string {
  return Buffer.from(`id:${id}`).toString('base64url');
}

function idOf(cursor: string): number {
  const match = /^id:(\d{1,16})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (!match) throw new InvalidInputError(`"${cursor}" is not a cursor of this list`);
  return Number(match[1]);
}
