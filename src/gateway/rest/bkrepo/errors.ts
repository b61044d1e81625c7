import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../../../domain/errors.ts';
import { retryAfterOf } from '../../http-errors.ts';
import { sendFailure } from './envelope.ts';
import { type BkrepoErrorName, ERROR_CODES, messageOf } from './error-codes.ts';
import { languageOf } from './language.ts';

/** A refusal in the words of this dialect. */
export class BkrepoError extends DomainError {
  readonly failure: BkrepoErrorName;
  readonly parameters: readonly string[];

  constructor(failure: BkrepoErrorName, ...parameters: string[]) {
    super(`bkrepo-${ERROR_CODES[failure][0]}`, messageOf(failure, parameters, 'en'));
    this.failure = failure;
    this.parameters = parameters;
  }
}

/** The one mapper of errors to this dialect's answers (bkrepo-docker.md 0.3, 0.4). Defects are logged and masked. */
export function answerBkrepoError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const told = error instanceof BkrepoError ? error : toldOf(error, request);
  const [code, usualStatus] = ERROR_CODES[told.failure];
  const status = statusOf(error, usualStatus);
  if (status >= 500) request.log.error({ err: error }, 'request failed');
  if (status === 401) reply.header('www-authenticate', 'Basic realm="Authentication Required"');
  if (status === 429) reply.header('retry-after', retryAfterOf(error));
  const language = languageOf(request.headers['accept-language']);
  return sendFailure(request, reply, {
    status,
    code,
    message: messageOf(told.failure, told.parameters, language),
  });
}

export function answerUnknownUrl(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0]!.slice(0, LONGEST_PATH);
  return answerBkrepoError(new BkrepoError('URL_NOT_FOUND', path), request, reply);
}

const LONGEST_PATH = 500;

/** Two codes have no status of their own for these. */
function statusOf(error: unknown, usual: number): number {
  if (!(error instanceof DomainError)) return usual;
  if (error.code === 'too-many-requests') return usual;
  if (error.code === 'database-unavailable' || error.retryable) return 503;
  return error.code === 'precondition-failed' ? 412 : usual;
}

function toldOf(error: unknown, request: FastifyRequest): BkrepoError {
  return error instanceof DomainError ? ofDomain(error, request) : ofFramework(error as FastifyError);
}

function ofDomain({ code, message, details }: DomainError, request: FastifyRequest): BkrepoError {
  switch (code) {
    case 'unauthenticated':
    case 'registry-unauthorized':
      return new BkrepoError('UNAUTHENTICATED', 'Unauthorized');
    case 'too-many-requests':
      return new BkrepoError('TOO_MANY_REQUESTS');
    case 'forbidden':
      return new BkrepoError('ACCESS_DENIED', 'Forbidden');
    case 'registry-denied':
      return new BkrepoError('ACCESS_DENIED', deniedReason(details, request));
    case 'name-unknown':
      return typeof details.repository === 'string'
        ? new BkrepoError('REPOSITORY_NOT_FOUND', details.repository)
        : new BkrepoError('PROJECT_NOT_FOUND', `${details.project}`);
    case 'blob-unknown':
    case 'manifest-unknown':
    case 'damaged':
      return new BkrepoError('ARTIFACT_DATA_NOT_FOUND');
    case 'range-not-satisfiable':
      return new BkrepoError('RANGE_NOT_SATISFIABLE');
    case 'precondition-failed':
      return new BkrepoError('PARAMETER_INVALID', 'If-Match');
    case 'invalid-input':
      return new BkrepoError(
        'PARAMETER_INVALID',
        typeof details.parameter === 'string' ? details.parameter : message,
      );
    case 'quota-exceeded':
      return new BkrepoError('QUOTA_EXCEEDED', `${details.repository}`, `${details.quota}`);
    default:
      return new BkrepoError('SYSTEM_ERROR');
  }
}

/** `project` and `repository`, or a right on the whole project (bkrepo-docker.md 0.3). */
function deniedReason(
  { project, repository, permission = 'MANAGE' }: Record<string, unknown>,
  request: FastifyRequest,
): string {
  const user = request.bkrepoUser ?? 'anonymous';
  const where = repository === undefined ? '' : ` repo[${repository}]`;
  return `user[${user}] does not have [${permission}] permission in project[${project}]${where}`;
}

/** What the framework refuses by itself. */
function ofFramework({ statusCode }: FastifyError): BkrepoError {
  switch (statusCode) {
    case 413:
      return new BkrepoError('TOO_LARGE');
    case 415:
      return new BkrepoError('MEDIA_TYPE_UNSUPPORTED');
    default:
      if (statusCode === undefined || statusCode >= 500 || statusCode < 400)
        return new BkrepoError('SYSTEM_ERROR');
      return new BkrepoError('CONTENT_INVALID');
  }
}
