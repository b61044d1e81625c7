import { printableText } from '../domain/printable-text.ts';

/** Columns as wide as their longest cell, two spaces apart; the last one is not padded. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = (header.length > 0 ? [header, ...rows] : rows).map((row) => row.map(cellOf));
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** On one line. */
function cellOf(text: string): string {
  return printableText(text).replaceAll('\n', ' ');
}

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  process.stdout.write(formatTable(header, rows));
}
