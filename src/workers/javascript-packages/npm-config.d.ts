/** The part of npm's configuration reader that is used here; the package has no types. */
declare module '@npmcli/config' {
  export default class Config {
    constructor(options: {
      definitions: Record<string, { default: unknown }>;
      shorthands: unknown;
      flatten: unknown;
      npmPath: string;
      execPath: string;
      argv: string[];
      env: Record<string, string | undefined>;
      warn: boolean;
    });
    load(): Promise<void>;
    /** Strongest first. */
    readonly list: Record<string, unknown>[];
  }
}

declare module '@npmcli/config/lib/definitions/index.js' {
  const npmDefinitions: {
    definitions: Record<string, { default: unknown }>;
    shorthands: unknown;
    flatten: unknown;
  };
  export default npmDefinitions;
}
