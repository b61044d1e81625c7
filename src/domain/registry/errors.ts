import { DomainError, type DomainErrorOptions } from '../errors.ts';

/** What can be wrong with a call to the registry, in terms of oci-registry.md 3.1. Each edge has its own words for it. */
export type RegistryErrorCode =
  | 'blob-unknown'
  | 'blob-upload-invalid'
  | 'blob-upload-unknown'
  | 'upload-range-invalid'
  | 'digest-invalid'
  | 'form-too-large'
  | 'grant-type-invalid'
  | 'manifest-blob-unknown'
  | 'manifest-invalid'
  | 'manifest-too-large'
  | 'manifest-unknown'
  | 'name-invalid'
  | 'name-unknown'
  | 'paging-invalid'
  | 'quota-exceeded'
  | 'blob-too-large'
  | 'registry-unauthorized'
  | 'registry-denied'
  | 'unsupported-operation'
  | 'upload-refused';

export class RegistryError extends DomainError {
  declare readonly code: RegistryErrorCode;

  constructor(code: RegistryErrorCode, message: string, options?: DomainErrorOptions) {
    super(code, message, options);
  }
}
