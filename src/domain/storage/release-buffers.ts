/**
 * Gives the memory of pieces back at once; they are empty afterwards, so nobody else may have them. Left to the engine, it
 * goes through its whole heap every 64 MiB, because it sees how many bytes lie outside of it: half of the time in which a
 * large blob arrives. What shares its memory with others is left alone.
 */
export function releaseBuffers(pieces: readonly Uint8Array[]): void {
  for (const { buffer, byteLength } of pieces) {
    const isAlone = buffer instanceof ArrayBuffer && !buffer.detached && buffer.byteLength === byteLength;
    if (isAlone) buffer.transfer(0);
  }
}
