import ssri from 'ssri';
import { InvalidChecksum } from '../../domain/errors.ts';
import type { Artifact, ExpectedDigest, HashAlgorithm } from '../downloads/artifact-store.ts';
import { strongestDigests } from '../ecosystems/strongest-digests.ts';

/**
 * The digests of a Subresource Integrity value: all of the strongest algorithm that it has, of which any may match.
 * Empty when the lock has no integrity; throws InvalidChecksum when it has one that nothing can match.
 */
export function expectedDigests(integrity: string | null, described: string): ExpectedDigest[] {
  if (integrity === null || integrity.trim() === '') return [];
  const parsed = ssri.parse(integrity) as unknown as Record<string, { hexDigest(): string }[]> | null;
  const given = Object.entries(parsed ?? {}).flatMap(([algorithm, hashes]) =>
    hashes.map((hash) => ({ algorithm, hex: hash.hexDigest() })),
  );
  const digests = strongestDigests(given);
  if (digests.length > 0) return digests;
  throw new InvalidChecksum(
    'invalid-checksum',
    `The integrity value of the dependency ${described} is not valid: ${JSON.stringify(integrity.slice(0, 200))}`,
  );
}

/** Checks a file whose digests are known; used where one file serves lock entries with different integrity values. */
export function assertMatches(
  artifact: Pick<Artifact, 'digests'>,
  expected: readonly ExpectedDigest[],
  fileName: string,
): void {
  const [first] = expected;
  if (!first || expected.some(({ algorithm, hex }) => artifact.digests[algorithm] === hex)) return;
  throw new InvalidChecksum(
    'checksum-mismatch',
    `The file ${fileName} has an unexpected checksum value, ` +
      `expected ${first.hex} but computed ${artifact.digests[first.algorithm]}`,
    { details: { file: fileName, expected: first.hex, actual: artifact.digests[first.algorithm] } },
  );
}

/** `sha512-<base64>` of a hex digest. */
export function integrityOf(algorithm: HashAlgorithm, hex: string): string {
  return `${algorithm}-${Buffer.from(hex, 'hex').toString('base64')}`;
}
