/**
 * CRC-32 of two byte sequences one after the other, from the CRCs of both and the length of the second: no byte is read
 * again. Appending zero bytes is a linear map over GF(2); it is applied by repeated squaring.
 */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  let crc = first >>> 0;
  let power = 0;
  for (let bytes = secondLength; bytes > 0; bytes = Math.floor(bytes / 2)) {
    if (bytes % 2 === 1) crc = apply(zeroBytes(power), crc);
    power += 1;
  }
  return (crc ^ second) >>> 0;
}

const POLYNOMIAL = 0xedb88320;
const BITS = 32;

/** Row i: what bit i becomes. */
type Matrix = Uint32Array;

/** Matrices for 2^power zero bytes. */
const powers: Matrix[] = [];

function zeroBytes(power: number): Matrix {
  while (powers.length <= power) {
    const last = powers.at(-1);
    powers.push(last ? square(last) : oneZeroByte());
  }
  return powers[power]!;
}

function oneZeroByte(): Matrix {
  const bit = new Uint32Array(BITS);
  bit[0] = POLYNOMIAL;
  for (let row = 1; row < BITS; row++) bit[row] = (1 << (row - 1)) >>> 0;
  return square(square(square(bit)));
}

function square(matrix: Matrix): Matrix {
  return matrix.map((row) => apply(matrix, row));
}

function apply(matrix: Matrix, vector: number): number {
  let result = 0;
  for (let row = 0, rest = vector >>> 0; rest !== 0; row++, rest >>>= 1) {
    if (rest & 1) result ^= matrix[row]!;
  }
  return result >>> 0;
}
