import { DomainError } from '../errors.ts';

/** Classes of SQLSTATE: connection exception, insufficient resources, operator intervention (shutdown, restart). */
const PASSING_STATES = /^(08|53|57)\w{3}$/;
const SOCKET_ERROR = /^(ECONN\w+|EPIPE|ETIMEDOUT|E(HOST|NET)(UNREACH|DOWN)|ENOTFOUND|EAI_AGAIN)$/;

/** Whether the same statement may succeed when the database is back. */
export function isConnectionLost(error: unknown): boolean {
  const { code, syscall, message = '' } = error as { code?: unknown; syscall?: unknown; message?: string };
  // A socket of this machine that is not there is told as a file would be.
  if (syscall === 'connect') return true;
  if (typeof code === 'string') return PASSING_STATES.test(code) || SOCKET_ERROR.test(code);
  // Errors of the client library itself have no code.
  return /^Connection terminated|^Client has encountered a connection error|^timeout (expired|exceeded)/.test(
    message,
  );
}

/** What a client is told of an error that {@link isConnectionLost}: no defect of the server. null: of any other one. */
export function asDatabaseUnavailable(error: unknown): DomainError | null {
  if (error instanceof DomainError || !isConnectionLost(error)) return null;
  return new DomainError('database-unavailable', 'The database does not answer', {
    cause: error,
    hint: 'Try again in a moment.',
    retryable: true,
  });
}
