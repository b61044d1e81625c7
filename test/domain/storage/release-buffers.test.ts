import { expect, test } from 'vitest';
import { releaseBuffers } from '../../../src/domain/storage/release-buffers.ts';

test('memory that nobody else has goes at once', () => {
  const pieces = [Buffer.alloc(70_000, 1), new Uint8Array(3)];
  releaseBuffers(pieces);
  expect(pieces.map((piece) => piece.byteLength)).toEqual([0, 0]);
  expect(pieces.map((piece) => (piece.buffer as ArrayBuffer).detached)).toEqual([true, true]);
});

test('parts of a larger buffer, and shared memory, stay', () => {
  const whole = Buffer.alloc(10, 1);
  const pooled = Buffer.from('abc');
  const shared = new Uint8Array(new SharedArrayBuffer(2));
  releaseBuffers([whole.subarray(0, 9), whole.subarray(1), pooled, shared]);
  expect(whole).toEqual(Buffer.alloc(10, 1));
  expect(pooled.toString()).toBe('abc');
  expect(shared.byteLength).toBe(2);
});

test('what is given back twice is nothing', () => {
  const piece = new Uint8Array(5);
  releaseBuffers([piece, piece]);
  releaseBuffers([piece]);
  expect(piece.byteLength).toBe(0);
});
