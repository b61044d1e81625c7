import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type Envelope,
  IN_TOTO,
  publicKeyOf,
  readPublicKey,
  Signer,
  verifyEnvelope,
} from '../../../src/domain/bundles/signing.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-signing-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the key of an installation', () => {
  test('is made on first use, for the owner only, and stays', async () => {
    const dataDir = join(directory, 'first');
    expect(await publicKeyOf(dataDir)).toBeNull();
    expect(() => statSync(dataDir)).toThrow('ENOENT');
    const first = await Signer.open(dataDir);
    expect(statSync(join(dataDir, 'keys')).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'keys/provenance.pem')).mode & 0o777).toBe(0o600);
    const second = await Signer.open(dataDir);
    expect(second.publicKey).toBe(first.publicKey);
    expect(await publicKeyOf(dataDir)).toBe(first.publicKey);
  });

  test('is one, however many begin at once', async () => {
    const dataDir = join(directory, 'many');
    const signers = await Promise.all(Array.from({ length: 20 }, () => Signer.open(dataDir)));
    expect(new Set(signers.map(({ keyId }) => keyId)).size).toBe(1);
    expect(readdirSync(join(dataDir, 'keys'))).toEqual(['provenance.pem']);
  });

  test('is not replaced when it cannot be read', async () => {
    const dataDir = join(directory, 'broken');
    mkdirSync(join(dataDir, 'keys'), { recursive: true });
    writeFileSync(join(dataDir, 'keys/provenance.pem'), 'not a key');
    await expect(Signer.open(dataDir)).rejects.toThrow();
    expect(readFileSync(join(dataDir, 'keys/provenance.pem'), 'utf8')).toBe('not a key');
  });

  test('is the given one, if one is given, and none is made', async () => {
    const dataDir = join(directory, 'unused');
    const given = join(directory, 'first/keys/provenance.pem');
    const { keyId, publicKey } = await Signer.open(join(directory, 'first'));
    const signer = await Signer.open(dataDir, given);
    expect(signer).toMatchObject({ keyId, publicKey });
    expect(verifyEnvelope(signer.sign({ a: 1 }), publicKey)).toEqual({ a: 1 });
    expect(await publicKeyOf(dataDir, given)).toBe(publicKey);
    expect(() => statSync(dataDir)).toThrow('ENOENT');
  });

  test('is named by the digest of its public half', async () => {
    const { publicKey, keyId } = await Signer.open(join(directory, 'first'));
    const der = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
    expect(keyId).toBe(createHash('sha256').update(der).digest('hex'));
    expect(readPublicKey(publicKey)).toEqual({ publicKey, keyId });
    const privateKey = readFileSync(join(directory, 'first/keys/provenance.pem'), 'utf8');
    expect(readPublicKey(privateKey)).toEqual({ publicKey, keyId });
    expect(() => readPublicKey('x')).toThrow('The key is no public key in PEM form');
  });
});

describe('an envelope', () => {
  const statement = { _type: 'https://in-toto.io/Statement/v1', text: 'é' };
  /** PAE, written out once more from the DSSE specification. */
  const preAuthentication = (type: string, payload: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
  const signed = async (): Promise<{ envelope: Envelope; signer: Signer }> => {
    const signer = await Signer.open(join(directory, 'envelopes'));
    return { envelope: signer.sign(statement), signer };
  };

  test('is DSSE: any other verifier accepts it', async () => {
    const { envelope, signer } = await signed();
    expect(Object.keys(envelope)).toEqual(['payloadType', 'payload', 'signatures']);
    expect(envelope.payloadType).toBe('application/vnd.in-toto+json');
    expect(envelope.signatures).toEqual([{ keyid: signer.keyId, sig: expect.any(String) }]);
    const payload = Buffer.from(envelope.payload, 'base64');
    expect(JSON.parse(payload.toString())).toEqual(statement);
    const signature = Buffer.from(envelope.signatures[0]!.sig, 'base64');
    expect(verify(null, preAuthentication(IN_TOTO, payload), signer.publicKey, signature)).toBe(true);
  });

  test('gives its statement to whoever has the key', async () => {
    const { envelope, signer } = await signed();
    expect(verifyEnvelope(envelope, signer.publicKey)).toEqual(statement);
    const more = { ...envelope, signatures: [{ keyid: 'x', sig: 'AAAA' }, ...envelope.signatures] };
    expect(verifyEnvelope(more, signer.publicKey)).toEqual(statement);
  });

  test.each<[string, (envelope: Envelope) => Envelope]>([
    [
      'the payload',
      (one) => ({
        ...one,
        payload: Buffer.from(JSON.stringify({ ...statement, text: 'e' })).toString('base64'),
      }),
    ],
    ['the type', (one) => ({ ...one, payloadType: 'application/json' })],
    ['the signature', (one) => ({ ...one, signatures: [{ keyid: one.signatures[0]!.keyid, sig: 'AAAA' }] })],
    ['the signature, away', (one) => ({ ...one, signatures: [] })],
  ])('that was changed does not: %s', async (_what, change) => {
    const { envelope, signer } = await signed();
    expect(() => verifyEnvelope(change(envelope), signer.publicKey)).toThrow(
      expect.objectContaining({ code: 'signature-invalid' }),
    );
  });

  test('of another key does not', async () => {
    const { envelope } = await signed();
    const { publicKey } = await Signer.open(join(directory, 'stranger'));
    expect(() => verifyEnvelope(envelope, publicKey)).toThrow(
      'No signature of the envelope was made by this key',
    );
  });

  test('may be signed with ECDSA P-256', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const payload = Buffer.from(JSON.stringify(statement));
    const envelope = {
      payloadType: IN_TOTO,
      payload: payload.toString('base64'),
      signatures: [
        {
          keyid: '',
          sig: sign('sha256', preAuthentication(IN_TOTO, payload), privateKey).toString('base64'),
        },
      ],
    };
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    expect(verifyEnvelope(envelope, pem)).toEqual(statement);
    expect(() => verifyEnvelope({ ...envelope, signatures: [{ keyid: '', sig: 'AAAA' }] }, pem)).toThrow();
  });
});
