import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

const ANSWERS: Record<string, [status: number, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to come'],
  HPE_HEADER_OVERFLOW: [431, 'The headers of the request are too long'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The extensions of a chunk are too long'],
};

/**
 * What is no request, or one of which it is not clear where it ends (docs/security.md): the connection ends with the answer, so
 * that nothing behind it can be taken for another request, and whoever is in between is told so.
 */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  const { _httpMessage: running } = socket as Socket & { _httpMessage?: ServerResponse | null };
  // In the middle of an answer there is no place for another one.
  if (error.code === 'ECONNRESET' || !socket.writable || running?.headersSent) {
    socket.destroy();
    return;
  }
  const [status, message] = ANSWERS[error.code ?? ''] ?? [400, 'This is not an HTTP request'];
  const body = JSON.stringify({ error: { code: 'invalid-input', message, hint: null, details: {} } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
