import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../../../domain/errors.ts';
import { challengesOf } from '../../auth/challenges.ts';
import { retryAfterOf, statusOf } from '../../http-errors.ts';
import { InvalidTimeError } from './parameters/time-range.ts';
import { sendJson } from './send-json.ts';

/** Texts that hide their cause (cachito.md 1.1). */
const TEXTS = {
  400: 'The browser (or proxy) sent a request that this server could not understand.',
  401:
    'The server could not verify that you are authorized to access the URL requested. You either supplied the ' +
    "wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply the credentials " +
    'required.',
  404: 'The requested resource was not found',
  405: 'The method is not allowed for the requested URL.',
  413: 'The data value transmitted exceeds the capacity limit.',
  500:
    'The server encountered an internal error and was unable to complete your request. Either the server is ' +
    'overloaded or there is an error in the application.',
} as const;

/** A body that should be JSON and is not. */
export class MalformedBodyError extends DomainError {
  constructor(options?: ConstructorParameters<typeof DomainError>[2]) {
    super('invalid-input', TEXTS[400], options);
  }
}

/** The path is known, the method is not one of its. */
export class MethodNotAllowedError extends DomainError {
  constructor() {
    super('method-not-allowed', TEXTS[405]);
  }
}

/** What used to be there, e.g. the log of a stale request. */
export class GoneError extends DomainError {
  constructor(message: string) {
    super('gone', message);
  }
}

/** What must be there for this request and is not, or is not what it was: the text says which. */
export class BrokenStateError extends DomainError {
  constructor(message: string, options?: ConstructorParameters<typeof DomainError>[2]) {
    super('broken-state', message, options);
  }
}

/** The one mapper of errors to this dialect's answers: `{"error": <text>}`. Defects are logged and masked. */
export function answerCachitoError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, text } = answerTo(error);
  if (status >= 500) request.log.error({ err: error }, 'request failed');
  if (error instanceof DomainError && error.code === 'too-many-requests')
    reply.header('retry-after', retryAfterOf(error));
  if (status === 401) reply.header('www-authenticate', challengesOf(request));
  return sendJson(reply, status, {
    error: text,
    ...(error instanceof InvalidTimeError && { errors: error.errors }),
  });
}

export function answerUnknownResource(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendJson(reply, 404, { error: TEXTS[404] });
}

function answerTo(error: unknown): { status: number; text: string } {
  if (error instanceof DomainError) return answerToDomain(error);
  const { statusCode } = error as FastifyError;
  switch (statusCode) {
    case 404:
    case 414:
      return { status: 404, text: TEXTS[404] };
    case 413:
      return { status: 413, text: TEXTS[413] };
    default:
      // What else the framework refuses: bodies that break off, paths that cannot be decoded.
      if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
        return { status: 400, text: TEXTS[400] };
      }
      return { status: 500, text: TEXTS[500] };
  }
}

function answerToDomain(error: DomainError): { status: number; text: string } {
  switch (error.code) {
    case 'not-found':
      return { status: 404, text: TEXTS[404] };
    case 'unauthenticated':
      return { status: 401, text: TEXTS[401] };
    case 'method-not-allowed':
      return { status: 405, text: error.message };
    case 'gone':
      return { status: 410, text: error.message };
    case 'conflict':
      return { status: 400, text: error.message };
    case 'broken-state':
      return { status: 500, text: error.message };
    // Its clients submit again after a 5xx and know no 429.
    case 'too-many-requests':
      return { status: 503, text: error.message };
    case 'damaged':
    case 'internal':
      return { status: 500, text: TEXTS[500] };
    default: {
      const status = statusOf(error);
      return { status: status < 500 || status === 501 ? status : 503, text: error.message };
    }
  }
}
