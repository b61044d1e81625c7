import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { asDatabaseUnavailable } from '../domain/database/connection-lost.ts';
import { DomainError, NotFoundError, RequestFailure } from '../domain/errors.ts';
import { asDiskFull } from '../domain/storage/disk-full.ts';
import { challengesOf } from './auth/challenges.ts';

/** What every error of the HTTP endpoints looks like; the REST dialects have shapes of their own. */
interface ErrorBody {
  error: { code: string; message: string; hint: string | null; details: Record<string, unknown> };
}

/** Statuses by the code of a DomainError. Codes that are not here are failures of the server. */
const STATUSES = new Map([
  ['invalid-input', 400],
  ['unauthenticated', 401],
  ['forbidden', 403],
  ['not-found', 404],
  ['conflict', 409],
  ['precondition-failed', 412],
  ['range-not-satisfiable', 416],
  ['too-many-requests', 429],
  ['not-implemented', 501],
  ['database-unavailable', 503],
]);

/** After a 429: places become free as fast as work is done. */
const RETRY_AFTER_SECONDS = 30;

/** `Retry-After`: what the error says, else what is usual. */
export function retryAfterOf(error: unknown, usual = RETRY_AFTER_SECONDS): string {
  const seconds = error instanceof DomainError ? error.details.retryAfterSeconds : null;
  return String(typeof seconds === 'number' ? seconds : usual);
}

/** The HTTP status of an error that the domain threw. */
export function statusOf(error: DomainError): number {
  const status = STATUSES.get(error.code);
  if (status !== undefined) return status;
  if (error instanceof RequestFailure) return error.origin === 'client' ? 400 : 502;
  return error.retryable ? 503 : 500;
}

function errorBody(error: ReturnType<typeof clientError>['told']): ErrorBody {
  const { code, message, hint, details } = error;
  return { error: { code, message, hint, details } };
}

/** The one mapper of errors to answers, for `setErrorHandler`: defects are logged and masked. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, told } = clientError(error, request);
  if (status === 401) reply.header('www-authenticate', challengesOf(request));
  if (status === 429) reply.header('retry-after', retryAfterOf(error));
  return send(reply, status, told);
}

/** What a client is told of an error, in whatever shape, and with which status. Defects are logged. */
export function clientError(
  error: unknown,
  request: FastifyRequest,
): { status: number; told: Pick<DomainError, 'code' | 'message' | 'hint' | 'details'> } {
  const thrown = asDatabaseUnavailable(error) ?? asDiskFull(error) ?? error;
  const known = thrown instanceof DomainError ? thrown : ofFramework(thrown as FastifyError);
  if (known === null) {
    request.log.error({ err: error }, 'request failed');
    return { status: 500, told: internal(request) };
  }
  const status = statusOfKnown(known, thrown);
  if (status >= 500) request.log.error({ err: error }, 'request failed');
  else request.log.debug({ code: known.code }, known.message);
  return { status, told: known };
}

/** For `setNotFoundHandler`. */
export function answerUnknownPath(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0]!.slice(0, LONGEST_PATH);
  return send(reply, 404, new NotFoundError(`There is nothing at ${request.method} ${path}`));
}

const LONGEST_PATH = 200;

/** What the framework refuses by itself: bodies that are too large, not JSON, of an unknown type; broken URLs. */
function ofFramework(error: FastifyError): DomainError | null {
  const status = error.statusCode;
  if (typeof status !== 'number' || status < 400 || status >= 500) return null;
  return new DomainError(FRAMEWORK_CODES[status] ?? 'invalid-input', error.message);
}

const FRAMEWORK_CODES: Record<number, string> = {
  404: 'not-found',
  408: 'too-slow',
  413: 'too-large',
  415: 'unsupported-media-type',
  431: 'too-large',
};

function statusOfKnown(known: DomainError, thrown: unknown): number {
  return known === thrown ? statusOf(known) : (thrown as FastifyError).statusCode!;
}

function internal(request: FastifyRequest): DomainError {
  return new DomainError('internal', 'Something went wrong in the server', {
    hint: 'The log of the gateway says more under this request id.',
    details: { requestId: request.id },
  });
}

function send(
  reply: FastifyReply,
  status: number,
  error: ReturnType<typeof clientError>['told'],
): FastifyReply {
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(errorBody(error));
}
