/** Thrown into work whose lease is gone: it was cancelled or retried, or another worker has it. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}
