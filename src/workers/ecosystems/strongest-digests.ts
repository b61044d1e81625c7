import type { ExpectedDigest, HashAlgorithm } from '../downloads/artifact-store.ts';

/** Strongest first, with the length of their hex form. */
const ALGORITHMS: readonly [HashAlgorithm, number][] = [
  ['sha512', 128],
  ['sha384', 96],
  ['sha256', 64],
  ['sha1', 40],
  ['md5', 32],
];

/** All of the strongest algorithm that a lock file gives, of which any may match; empty when none of them can. */
export function strongestDigests(given: readonly { algorithm: string; hex: string }[]): ExpectedDigest[] {
  for (const [algorithm, length] of ALGORITHMS) {
    const digests = given
      .filter(
        (one) => one.algorithm === algorithm && one.hex.length === length && /^[0-9a-f]+$/i.test(one.hex),
      )
      .map(({ hex }) => ({ algorithm, hex: hex.toLowerCase() }));
    if (digests.length > 0) return digests;
  }
  return [];
}
