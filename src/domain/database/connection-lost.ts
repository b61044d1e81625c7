/** Classes of SQLSTATE: connection exception, insufficient resources, operator intervention (shutdown, restart). */
const PASSING_STATES = /^(08|53|57)\w{3}$/;
/** `ECONNREFUSED`, `ECONNRESET`, `EPIPE`, …: the same socket errors as everywhere. */
const SOCKET_ERROR = /^E[A-Z]{3,}$/;

/** Whether the same statement may succeed when the database is back. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message = '' } = error as { code?: unknown; message?: string };
  if (typeof code === 'string') return PASSING_STATES.test(code) || SOCKET_ERROR.test(code);
  // Errors of the client library itself have no code.
  return /^Connection terminated|^timeout (expired|exceeded)/.test(message);
}
