import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../../../domain/errors.ts';
import { asDiskFull } from '../../../domain/storage/disk-full.ts';
import { retryAfterOf } from '../../http-errors.ts';
import { sendJson } from './send-json.ts';

/** What clients read of an error: fields with what is wrong with each, or one message (fandogh.md 1.3). */
export type ErrorBody = Record<string, readonly string[]> | { message: string };

/** A refusal in the words of this dialect. */
export class FandoghError extends DomainError {
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: ErrorBody) {
    super(`fandogh-${status}`, JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

/** The form of every complaint about input: all clients read it. */
export function fieldError(field: string, ...texts: string[]): FandoghError {
  return new FandoghError(400, { [field]: texts });
}

export function messageError(status: 400 | 401 | 403 | 404, message: string): FandoghError {
  return new FandoghError(status, { message });
}

/** About the request as a whole. */
export function requestError(text: string): FandoghError {
  return fieldError('non_field_errors', text);
}

export const LOGIN_FIRST = 'You need to login first.';
export const TOKEN_NOT_VALID = 'Your token is not valid. Please login first';
const OUR_FAULT = "Sorry about this inconvenience, there is a problem in our side, we'll fix it soon";

/** The one mapper of errors to this dialect's answers. Defects are logged and masked. */
export function answerFandoghError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, body } = answerTo(error);
  if (status >= 500) request.log.error({ err: error }, 'request failed');
  if (status === 429) reply.header('retry-after', retryAfterOf(error));
  if (status === 401) reply.header('www-authenticate', 'JWT realm="Stowage"');
  return sendJson(reply, status, body);
}

export function answerUnknownPath(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0]!.slice(0, LONGEST_PATH);
  return sendJson(reply, 404, { message: `There is nothing at ${path}` });
}

const LONGEST_PATH = 200;

function answerTo(thrown: unknown): { status: number; body: ErrorBody } {
  const error = asDiskFull(thrown) ?? thrown;
  if (error instanceof FandoghError) return error;
  return error instanceof DomainError ? ofDomain(error) : ofFramework(error as FastifyError);
}

function ofDomain({ code, message, retryable, details }: DomainError): { status: number; body: ErrorBody } {
  switch (code) {
    case 'unauthenticated':
      return messageError(401, TOKEN_NOT_VALID);
    case 'forbidden':
      return messageError(403, message);
    case 'not-found':
    case 'name-unknown':
      return messageError(404, message);
    case 'invalid-input':
      return typeof details.field === 'string' ? fieldError(details.field, message) : requestError(message);
    case 'conflict':
      return requestError(message);
    case 'too-many-requests':
      return { status: 429, body: { message: [message] } };
    default:
      return {
        status: retryable || code === 'database-unavailable' ? 503 : 500,
        body: { message: OUR_FAULT },
      };
  }
}

/** What the framework refuses by itself. Clients understand no other statuses (fandogh.md 1.3). */
function ofFramework({ statusCode = 500, message }: FastifyError): { status: number; body: ErrorBody } {
  if (statusCode === 404) return messageError(404, message);
  if (statusCode >= 400 && statusCode < 500) return requestError(message);
  return { status: 500, body: { message: OUR_FAULT } };
}
