export interface QueryOptions {
  /**
   * The server parses and plans the statement once for each connection of the pool: for short statements that run
   * thousands of times a second, with one good plan whatever the parameters.
   */
  prepared?: boolean;
}

/** Runs one SQL statement with `$1` parameters: on a pool, or inside a transaction. */
export interface SqlExecutor {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    parameters?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<Row[]>;
}
