/** The package is optional: these types are there also where it could not be compiled. */
declare module 'kerberos' {
  interface ServerContext {
    step(token: string): Promise<unknown>;
    readonly contextComplete: boolean;
    readonly username: string | null;
    readonly response: string | null;
  }
  function initializeServer(service: string): Promise<ServerContext>;
}
