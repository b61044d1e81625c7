/** Runs one SQL statement with `$1` parameters: on a pool, or inside a transaction. */
export interface SqlExecutor {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    parameters?: readonly unknown[],
  ): Promise<Row[]>;
}
