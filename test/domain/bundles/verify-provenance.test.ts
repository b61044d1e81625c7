import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Signer } from '../../../src/domain/bundles/signing.ts';
import { ProblemList } from '../../../src/domain/bundles/verify-bundle.ts';
import { verifyProvenance } from '../../../src/domain/bundles/verify-documents.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-provenance-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const signer = await Signer.open(directory);
const key = { publicKey: signer.publicKey, keyId: signer.keyId, isRequired: false };
const digests = { 'bundle.tar': `sha256:${'a'.repeat(64)}` } as const;
const text = `${JSON.stringify(
  signer.sign({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: [{ name: 'bundle.tar', digest: { sha256: 'a'.repeat(64) } }],
  }),
)}\n`;

function isAccepted(changed: string): boolean {
  const problems = new ProblemList();
  try {
    verifyProvenance(changed, digests, key, problems);
  } catch {
    return false;
  }
  return problems.count === 0;
}

test('the provenance as it was made', () => {
  expect(isAccepted(text)).toBe(true);
});

test.each([1, 2, 8, 64])('is refused, whichever byte differs by %i', (bit) => {
  const bytes = Buffer.from(text);
  const accepted = [...bytes.keys()].filter((at) => {
    const changed = Buffer.from(bytes);
    changed[at]! ^= bit;
    return isAccepted(changed.toString('latin1'));
  });
  expect(accepted).toEqual([]);
});
