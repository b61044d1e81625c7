/**
 * Errors that a user can cause or must know about. Every edge (GraphQL, REST dialect, CLI) maps them once;
 * anything that is not a DomainError is a defect and is masked at the edge.
 */
export interface DomainErrorOptions {
  /** Facts for machines: file names, expected and actual digests. Never secrets. */
  details?: Record<string, unknown>;
  /** What the user can do about it. Goes to the log and to GraphQL, never into a contract text. */
  hint?: string;
  /** Whether the same call may succeed later without any change. */
  retryable?: boolean;
  cause?: unknown;
}

export class DomainError extends Error {
  readonly code: string;
  readonly details: Record<string, unknown>;
  readonly hint: string | null;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: DomainErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = options.details ?? {};
    this.hint = options.hint ?? null;
    this.retryable = options.retryable ?? false;
  }
}

export class NotFoundError extends DomainError {
  constructor(message: string, options?: DomainErrorOptions) {
    super('not-found', message, options);
  }
}

/** The caller's input breaks a rule of an API; nothing was stored. */
export class InvalidInputError extends DomainError {
  constructor(message: string, options?: DomainErrorOptions) {
    super('invalid-input', message, options);
  }
}

export class UnauthenticatedError extends DomainError {
  constructor(message = 'Log in to do this', options?: DomainErrorOptions) {
    super('unauthenticated', message, options);
  }
}

export class ForbiddenError extends DomainError {
  constructor(message: string, options?: DomainErrorOptions) {
    super('forbidden', message, options);
  }
}

/** The subject is in a state in which this is not possible. */
export class ConflictError extends DomainError {
  constructor(message: string, options?: DomainErrorOptions) {
    super('conflict', message, options);
  }
}

/** As many wait already as may; the same may succeed when some of them are over. */
export class TooManyRequestsError extends DomainError {
  constructor(message: string, options?: DomainErrorOptions) {
    super('too-many-requests', message, { retryable: true, ...options });
  }
}

/** The blob store does not answer, or refuses us: nobody's input is wrong, and the same may succeed when it is back. */
export class BlobStoreUnavailableError extends DomainError {
  constructor(message: string, options?: DomainErrorOptions) {
    super('blob-store-unavailable', message, { retryable: true, ...options });
  }
}

/**
 * What went wrong, in terms of prefetch.md section 16. `stowage prefetch` turns each into its exit code.
 */
export type FailureCode =
  | 'internal'
  | 'path-outside-root'
  | 'invalid-input'
  | 'package-rejected'
  | 'not-a-git-repository'
  | 'unexpected-format'
  | 'unsupported-feature'
  | 'executable-missing'
  | 'checksum-mismatch'
  | 'invalid-checksum'
  | 'missing-checksum'
  | 'lockfile-not-found'
  | 'invalid-lockfile'
  | 'fetch-failed'
  | 'package-manager-failed'
  | 'git-failed'
  | 'git-remote-missing'
  | 'bad-revision'
  | 'unpinned-requirement'
  | 'invalid-vcs-reference';

/**
 * Ends a bundle request. The message is contract text (cachito.md, prefetch.md); the class name is Cachito's
 * `error_type` and `origin` its `error_origin` (cachito.md 2.3).
 */
export abstract class RequestFailure extends DomainError {
  declare readonly code: FailureCode;
  abstract readonly origin: 'client' | 'server';

  constructor(code: FailureCode, message: string, options?: DomainErrorOptions) {
    super(code, message, options);
  }
}

abstract class ClientFailure extends RequestFailure {
  readonly origin = 'client';
}

abstract class ServerFailure extends RequestFailure {
  readonly origin = 'server';
}

export class ValidationError extends ClientFailure {}
export class InvalidRequestData extends ClientFailure {}
export class InvalidRepoStructure extends ClientFailure {}
export class InvalidFileFormat extends ClientFailure {}
export class InvalidChecksum extends ClientFailure {}
export class UnsupportedFeature extends ClientFailure {}
export class RepositoryAccessError extends ServerFailure {}
export class SubprocessCallError extends ServerFailure {}
export class FileAccessError extends ServerFailure {}
export class NetworkError extends ServerFailure {}
export class GoModError extends ServerFailure {}
