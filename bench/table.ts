import { type Budget, type Figure, isKept, ratioOf } from './benchmark.ts';

/** The measured figures beside the budgets of DESIGN section 4. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, measured, unit, yardstick, budget } = figure;
    const ratio = ratioOf(figure);
    const kept = isKept(figure);
    return [
      name,
      quantity(measured, unit),
      yardstick === null ? '' : `${quantity(yardstick.value, unit)} ${yardstick.name}`,
      ratio === null ? '' : ratio.toFixed(2),
      budget === null ? '' : budgetText(budget, unit),
      kept === null ? '' : kept ? '✓' : '✗ MISSED',
    ];
  });
  return aligned([['', 'measured', 'yardstick', 'ratio', 'budget', ''], ...rows]);
}

function budgetText({ of, comparison, limit }: Budget, unit: string): string {
  const sign = comparison === 'at most' ? '≤' : '≥';
  return of === 'value' ? `${sign} ${quantity(limit, unit)}` : `${sign} ${Number(limit.toFixed(2))} ×`;
}

function quantity(value: number, unit: string): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
