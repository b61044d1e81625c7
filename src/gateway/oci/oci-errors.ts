import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isConnectionLost } from '../../domain/database/connection-lost.ts';
import { DomainError } from '../../domain/errors.ts';
import { RegistryError, type RegistryErrorCode } from '../../domain/registry/errors.ts';
import { retryAfterOf } from '../http-errors.ts';
import { rangeReceived, sendOci } from './oci-exchange.ts';

/** Codes of the specification, no others (oci-registry.md 3.1). */
type OciCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNKNOWN';

const ANSWERS: Record<RegistryErrorCode, readonly [status: number, code: OciCode]> = {
  'blob-unknown': [404, 'BLOB_UNKNOWN'],
  'blob-upload-invalid': [400, 'BLOB_UPLOAD_INVALID'],
  'blob-upload-unknown': [404, 'BLOB_UPLOAD_UNKNOWN'],
  'upload-range-invalid': [416, 'BLOB_UPLOAD_INVALID'],
  'digest-invalid': [400, 'DIGEST_INVALID'],
  'form-too-large': [413, 'SIZE_INVALID'],
  'grant-type-invalid': [400, 'UNSUPPORTED'],
  'manifest-blob-unknown': [400, 'MANIFEST_BLOB_UNKNOWN'],
  'manifest-invalid': [400, 'MANIFEST_INVALID'],
  'manifest-too-large': [413, 'SIZE_INVALID'],
  'manifest-unknown': [404, 'MANIFEST_UNKNOWN'],
  'name-invalid': [400, 'NAME_INVALID'],
  'name-unknown': [404, 'NAME_UNKNOWN'],
  'paging-invalid': [400, 'UNSUPPORTED'],
  'quota-exceeded': [403, 'DENIED'],
  'blob-too-large': [413, 'SIZE_INVALID'],
  'registry-unauthorized': [401, 'UNAUTHORIZED'],
  'registry-denied': [403, 'DENIED'],
  'unsupported-operation': [405, 'UNSUPPORTED'],
  'upload-refused': [403, 'DENIED'],
};

/** Of errors that are not the registry's own. */
const OTHER_ANSWERS = new Map<string, readonly [status: number, code: OciCode]>([
  ['unauthenticated', [401, 'UNAUTHORIZED']],
  ['forbidden', [403, 'DENIED']],
  ['not-implemented', [501, 'UNSUPPORTED']],
  ['too-many-requests', [429, 'TOOMANYREQUESTS']],
]);

const RETRY_AFTER = { 'retry-after': '1' };

interface OciAnswer {
  status: number;
  code: OciCode;
  message: string;
  detail: unknown;
  headers: OutgoingHttpHeaders;
}

/** The one mapper of errors of `/v2`: defects are logged and masked. `realm` is where tokens are to be had. */
export function answerOciError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  realm: string,
): void {
  if (reply.raw.headersSent || reply.raw.destroyed) {
    if (!reply.raw.writableEnded) reply.raw.destroy();
    request.log.debug({ err: error }, 'an exchange was broken off');
    return;
  }
  const { status, code, message, detail, headers } = answerTo(error, request, realm);
  if (status >= 500) request.log.error({ err: error }, 'request failed');
  const body = Buffer.from(JSON.stringify({ errors: [{ code, message, detail }] }));
  const all = { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers };
  sendOci(reply, status, { ...all, ...(request.method === 'HEAD' && { 'content-length': 0 }) }, body);
}

/** For what the framework refuses before it has found a route: paths that cannot be decoded. */
export function answerUndecodable(request: FastifyRequest, reply: FastifyReply): void {
  answerOciError(new RegistryError('name-invalid', 'the path cannot be decoded'), request, reply, '');
}

function answerTo(error: unknown, request: FastifyRequest, realm: string): OciAnswer {
  const known = error instanceof RegistryError ? ANSWERS[error.code] : null;
  const other = error instanceof DomainError ? OTHER_ANSWERS.get(error.code) : undefined;
  const [status, code] = known ?? other ?? [0, 'UNKNOWN' as const];
  if (status === 0) return failure(error, request);
  const { message, details, retryable } = error as DomainError;
  if (retryable) {
    const headers = { 'retry-after': retryAfterOf(error, 1) };
    return { status: 429, code: 'TOOMANYREQUESTS', message, detail: details, headers };
  }
  const { allow, received, scope, error: reason, ...detail } = details;
  const headers: OutgoingHttpHeaders = {};
  if (status === 401) headers['www-authenticate'] = challenge(realm, scope, reason);
  if (typeof allow === 'string') headers.allow = allow;
  if (typeof received === 'number' && request.method !== 'POST') {
    // Where the upload goes on, so that nobody must ask.
    headers.location = request.raw.url!.split('?', 1)[0]!;
    headers.range = rangeReceived(received);
  }
  return {
    status,
    code,
    message,
    detail: { ...detail, ...(received !== undefined && { received }) },
    headers,
  };
}

/**
 * What was there when the request came was removed while it worked, or it met others who wanted the same in another order:
 * the next try finds out how things are. So it does with a blob store that is away.
 */
const PASSING = new Set(['23503', '40P01', '40001', 'blob-store-unavailable', 'ENOSPC', 'EDQUOT']);

function failure(error: unknown, request: FastifyRequest): OciAnswer {
  const isPassing =
    isConnectionLost(error) ||
    (error as Error).name === 'AbortError' ||
    PASSING.has((error as { code?: string }).code ?? '');
  return {
    status: isPassing ? 503 : 500,
    code: 'UNKNOWN',
    message: 'something went wrong in the server',
    detail: { requestId: request.id },
    headers: isPassing ? RETRY_AFTER : {},
  };
}

/** The name of the service is bk-repo's: clients only repeat it. */
const SERVICE = 'bkrepo';

function challenge(realm: string, scope: unknown, reason: unknown): string {
  const parts = [`realm="${realm}"`, `service="${SERVICE}"`];
  if (typeof scope === 'string') parts.push(`scope="${scope}"`);
  if (typeof reason === 'string') parts.push(`error="${reason}"`);
  return `Bearer ${parts.join(',')}`;
}
