import { closeSync, openSync, readSync } from 'node:fs';

/** A part of a file, without a turn of the event loop; null when it cannot be had: who reads it as a stream hears why. */
export function readNow(path: string, start: number, end: number): Buffer | null {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const bytes = Buffer.allocUnsafe(end - start);
    return readSync(descriptor, bytes, 0, bytes.length, start) === bytes.length ? bytes : null;
  } catch {
    return null;
  } finally {
    closeSync(descriptor);
  }
}
