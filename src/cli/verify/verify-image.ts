import { readFile } from 'node:fs/promises';
import { type Envelope, parseEnvelope, readPublicKey } from '../../domain/bundles/signing.ts';
import { ownKeys } from '../../domain/bundles/signing-keys.ts';
import { type Problem, ProblemList } from '../../domain/bundles/verify-bundle.ts';
import { readSettings } from '../../domain/config.ts';
import { DomainError, InvalidInputError } from '../../domain/errors.ts';
import { ENVELOPE_TYPE } from '../../domain/images/attestations.ts';
import { type TrustedKey, type VerifiedChain, verifyChain } from '../../domain/images/verify-chain.ts';
import { type Address, isAddress, isDigest } from '../../domain/registry/reference.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import { withServer } from '../client/server-of-command.ts';
import { parseImageReference } from './image-reference.ts';
import { type ForeignDescriptor, type RegistryAccess, RegistryClient } from './registry-client.ts';
import { loginOf } from './registry-credentials.ts';

export interface VerifyImageOptions {
  key?: string;
  /** Commit that the image must come from. */
  commit?: string;
  plainHttp?: boolean;
  server?: string;
  token?: string;
  json?: boolean;
}

/** What `stowage verify image` found; `--json` prints it as it is. */
export interface ImageReport extends VerifiedChain {
  ok: boolean;
  image: { name: string; digest: Digest };
  /** Where the keys came from that were trusted. */
  keysFrom: string;
  attestations: number;
  problemCount: number;
  problems: Problem[];
}

/** Follows an image to the commit that it was made of, over `/v2` of whatever registry has it. Throws DomainError. */
export async function verifyImage(
  text: string,
  options: VerifyImageOptions,
  signal: AbortSignal,
): Promise<ImageReport> {
  const { host, name, reference } = parseImageReference(text);
  const verify = async (access: RegistryAccess) =>
    await verifyAt(access, { text, name, reference }, options, signal);
  if (host !== null) return await verify(await foreignRegistry(host, options));
  return await withServer(options, async ({ url, token }) => {
    return await verify({ url, authorization: token === null ? null : `Bearer ${token}` });
  });
}

async function foreignRegistry(
  host: string,
  { plainHttp, server, token }: VerifyImageOptions,
): Promise<RegistryAccess> {
  const isLoopback = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(host);
  const url = `${plainHttp || isLoopback ? 'http' : 'https'}://${host}`;
  if (server !== undefined && new URL(server).host === host) {
    return { url: server, authorization: token === undefined ? null : `Bearer ${token}` };
  }
  const login = await loginOf(host);
  return {
    url,
    authorization: login === null ? null : `Basic ${Buffer.from(login).toString('base64')}`,
  };
}

async function verifyAt(
  access: RegistryAccess,
  { text, name, reference }: { text: string; name: string; reference: string },
  options: VerifyImageOptions,
  signal: AbortSignal,
): Promise<ImageReport> {
  const client = new RegistryClient(access, name, signal);
  const { address } = await client.manifest(reference);
  if (!isDigest(address)) throw new InvalidInputError('Attestations name images by sha256, not by sha512');
  const problems = new ProblemList();
  const { keys, from } = await keysOf(options, access, signal);
  const envelopes = await readEnvelopes(client, address, problems);
  const chain = verifyChain(address, envelopes, keys, problems);
  requireCommit(chain, options.commit, problems);
  return {
    ok: problems.count === 0,
    image: { name: text, digest: address },
    keysFrom: from,
    attestations: envelopes.length,
    ...chain,
    problemCount: problems.count,
    problems: problems.shown,
  };
}

function requireCommit({ source }: VerifiedChain, expected: string | undefined, problems: ProblemList): void {
  if (expected === undefined || source?.commit === expected) return;
  problems.add('checksum-mismatch', 'source', 'is another commit', expected, source?.commit ?? 'none');
}

// --- attestations ---------------------------------------------------------------------------------------------------

const LARGEST_ENVELOPE = 64 * 1024 * 1024;
/** Of one image; who attaches more wants to keep us busy. */
const MOST_ATTESTATIONS = 100;

/** One that cannot be read is a problem; whether the others are enough is another question. */
async function readEnvelopes(
  client: RegistryClient,
  image: Address,
  problems: ProblemList,
): Promise<Envelope[]> {
  const referrers = (await client.referrers(image)).filter((one) => one.artifactType === ENVELOPE_TYPE);
  if (referrers.length > MOST_ATTESTATIONS) {
    problems.add('unexpected-format', 'attestations', `are more than ${MOST_ATTESTATIONS}`);
  }
  const envelopes: Envelope[] = [];
  for (const referrer of referrers.slice(0, MOST_ATTESTATIONS)) {
    try {
      envelopes.push(...(await readReferrer(client, referrer, image)));
    } catch (error) {
      const isWrong =
        error instanceof DomainError &&
        ['unexpected-format', 'checksum-mismatch', 'not-found'].includes(error.code);
      if (!isWrong) throw error;
      const code = error.code === 'unexpected-format' ? 'unexpected-format' : 'checksum-mismatch';
      problems.add(code, 'attestation', `cannot be used: ${error.message}`);
    }
  }
  return envelopes;
}

async function readReferrer(
  client: RegistryClient,
  { digest }: ForeignDescriptor,
  image: Address,
): Promise<Envelope[]> {
  if (typeof digest !== 'string' || !isAddress(digest)) return [];
  const { manifest } = await client.manifest(digest);
  if (manifest.subject?.digest !== image || !Array.isArray(manifest.layers)) return [];
  const envelopes: Envelope[] = [];
  for (const layer of manifest.layers) {
    const { mediaType, digest: content } = layer ?? {};
    if (mediaType !== ENVELOPE_TYPE || typeof content !== 'string' || !isAddress(content)) continue;
    envelopes.push(parseEnvelope((await client.blob(content, LARGEST_ENVELOPE)).toString('utf8')));
  }
  return envelopes;
}

// --- keys -----------------------------------------------------------------------------------------------------------

/** The key that was given; else what this installation and the server of the image say that theirs are. */
async function keysOf(
  { key }: VerifyImageOptions,
  { url }: RegistryAccess,
  signal: AbortSignal,
): Promise<{ keys: TrustedKey[]; from: string }> {
  if (key !== undefined) return { keys: [readPublicKey(await readFile(key, 'utf8'))], from: key };
  const settings = readSettings();
  const own = await ownKeys(settings);
  const served = await servedKeys(url, signal);
  const keys = [...own, ...served];
  const from = [
    ...(own.length > 0 ? [settings.signingKey ?? 'the data directory'] : []),
    ...(served.length > 0 ? [`${url}/keys`] : []),
  ];
  if (keys.length === 0) {
    throw new InvalidInputError(`There is no key to check signatures with: ${url} names none`, {
      hint: 'Name the public key (PEM) with --key FILE.',
    });
  }
  return { keys, from: from.join(' and ') };
}

const LARGEST_KEYS = 64 * 1024;

/** A registry that is no Stowage has none. */
async function servedKeys(url: string, signal: AbortSignal): Promise<TrustedKey[]> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/keys`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
    });
    const text = response.ok ? await response.text() : '';
    if (text.length > LARGEST_KEYS) return [];
    const { keys } = JSON.parse(text) as { keys: { pem: string }[] };
    return keys.map(({ pem }) => readPublicKey(pem));
  } catch {
    signal.throwIfAborted();
    return [];
  }
}
