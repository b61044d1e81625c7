import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ImageReport, verifyImage } from '../../../src/cli/verify/verify-image.ts';
import { type Envelope, Signer } from '../../../src/domain/bundles/signing.ts';
import { readSettings } from '../../../src/domain/config.ts';
import type { BundleFacts } from '../../../src/domain/database/sql/find-bundle.ts';
import { recordBlobs } from '../../../src/domain/database/sql/record-blobs.ts';
import { type Attestation, attachAttestations } from '../../../src/domain/images/attestations.ts';
import type { BuiltFrom } from '../../../src/domain/images/build-statements.ts';
import { openRegistry, type Registry } from '../../../src/domain/registry/registry.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { RegistryStack, sha256 } from '../../support/registry-stack.ts';
import { stowage } from '../../support/stowage-command.ts';

const COMMIT = '1'.repeat(40);
const OTHER = '2'.repeat(40);
const REPOSITORY = 'https://git.example/site.git';
const bundle = {
  manifestDigest: `sha256:${'a'.repeat(64)}`,
  tarDigest: `sha256:${'b'.repeat(64)}`,
} as BundleFacts;

let stack: RegistryStack;
let registry: Registry;
let signer: Signer;
let keyFile: string;
const outside = mkdtempSync(join(tmpdir(), 'stowage-verify-'));

beforeAll(async () => {
  stack = await RegistryStack.start();
  const { database, blobs, dataDir } = stack;
  registry = openRegistry({ settings: readSettings({ STOWAGE_DATA_DIR: dataDir }), database, blobs });
  signer = await Signer.open(dataDir);
  keyFile = join(outside, 'key.pem');
  writeFileSync(keyFile, signer.publicKey);
});

afterAll(async () => {
  await registry.close();
  await stack.close();
  rmSync(outside, { recursive: true, force: true });
});

const sbomText = `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [{ name: 'a', purl: 'pkg:npm/a@1.0.0' }, { name: 'b' }] }, null, 1)}\n`;

/** What a complete bundle request leaves. `commit`: that its provenance states. */
async function documents(commit: string, by: Signer, sbomOf = sbomText) {
  const sbom = await stack.blobs.write(Buffer.from(sbomText));
  const other = await stack.blobs.write(Buffer.from(sbomOf));
  const envelope = by.sign({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: [
      { name: 'bundle.manifest.json', digest: { sha256: bundle.manifestDigest.slice(7) } },
      { name: 'bundle.sbom.cyclonedx.json', digest: { sha256: other.digest.slice(7) } },
    ],
    predicate: {
      buildDefinition: {
        resolvedDependencies: [
          {
            name: 'source',
            uri: `git+${REPOSITORY}@${commit}`,
            digest: { gitCommit: commit, gitTree: OTHER },
          },
        ],
      },
    },
  });
  const provenance = await stack.blobs.write(Buffer.from(`${JSON.stringify(envelope)}\n`));
  await recordBlobs(stack.database.sql, [sbom, other, provenance]);
  return { cyclonedxDigest: sbom.digest, provenanceDigest: provenance.digest };
}

interface Case {
  from: BuiltFrom;
  documents?: Awaited<ReturnType<typeof documents>>;
  signer?: Signer;
}

async function attested(name: string, { from, documents: of, signer: by = signer }: Case) {
  const pushed = await stack.pushImage(`apps/images/${name}`, 'v1');
  const attached = await attachAttestations(
    registry,
    by,
    {
      name: `apps/images/${name}`,
      digest: pushed.digest as Digest,
      from,
      parameters: {
        dockerfile: 'Dockerfile',
        target: null,
        buildArguments: { MODE: 'production' },
        labels: {},
        platform: null,
        isHermetic: from.kind === 'bundle',
        secretIds: ['token'],
      },
      baseImages: [{ name: 'registry.example/base:1', digest: `sha256:${'c'.repeat(64)}` }],
      tool: { name: 'buildah', version: '1.28.2' },
      builder: { id: 'https://stowage.example/builders/worker', version: '0.1.0' },
      invocationId: 'image-build/7/1',
      startedOn: new Date('2026-11-21T13:00:00Z'),
      finishedOn: new Date('2026-11-21T13:00:09Z'),
    },
    of ?? { sbom: sbomText },
  );
  return { digest: pushed.digest, attached };
}

const git: BuiltFrom = { kind: 'git', repository: REPOSITORY, ref: 'main', commit: COMMIT };
const fromBundle: BuiltFrom = { kind: 'bundle', bundle, source: git };

function verify(name: string, options: object = {}): Promise<ImageReport> {
  const token = stack.authorization('bob').authorization!.slice('Bearer '.length);
  const signal = new AbortController().signal;
  return verifyImage(`apps/images/${name}`, { server: stack.url, token, key: keyFile, ...options }, signal);
}

const problemsOf = (report: ImageReport): string[] =>
  report.problems.map(({ path, what }) => `${path} ${what}`);

describe('an image from a bundle', () => {
  let built: { digest: string; attached: Attestation[] };
  beforeAll(async () => {
    built = await attested('site', { from: fromBundle, documents: await documents(COMMIT, signer) });
  });

  test('leads to its commit', async () => {
    expect(await verify('site:v1', { commit: COMMIT })).toEqual({
      ok: true,
      image: { name: 'apps/images/site:v1', digest: built.digest },
      keysFrom: keyFile,
      attestations: 3,
      provenance: {
        keyId: signer.keyId,
        builtFrom: 'bundle',
        isHermetic: true,
        dockerfile: 'Dockerfile',
        tools: { buildah: '1.28.2' },
        baseImages: [{ name: 'registry.example/base:1', digest: `sha256:${'c'.repeat(64)}` }],
        finishedOn: '2026-11-21T13:00:09.000Z',
      },
      bundle: { manifestDigest: bundle.manifestDigest, keyId: signer.keyId },
      source: { uri: `git+${REPOSITORY}@${COMMIT}`, commit: COMMIT, tree: OTHER, digest: null },
      sbom: { digest: expect.stringMatching(/^sha256:/), components: 2 },
      problemCount: 0,
      problems: [],
    });
  });

  test('is named by digest as well, and by the host of its registry', async () => {
    const host = new URL(stack.url).host;
    const token = stack.authorization('bob').authorization!.slice('Bearer '.length);
    const options = { server: stack.url, token, key: keyFile };
    const report = await verifyImage(
      `${host}/apps/images/site@${built.digest}`,
      options,
      new AbortController().signal,
    );
    expect(report.ok).toBe(true);
  });

  test('its attestations are referrers that say what they are', async () => {
    const answer = await stack.call('GET', `/v2/apps/images/site/referrers/${built.digest}`);
    const { manifests } = answer.json() as {
      manifests: { digest: string; artifactType: string; annotations: Record<string, string> }[];
    };
    const listed = manifests.map(({ digest, artifactType, annotations }) => ({
      digest,
      artifactType,
      predicateType: annotations['in-toto.io/predicate-type'],
    }));
    const artifactType = 'application/vnd.dsse.envelope.v1+json';
    expect(new Set(listed)).toEqual(new Set(built.attached.map((one) => ({ ...one, artifactType }))));
    expect(built.attached.map(({ predicateType }) => predicateType)).toEqual([
      'https://cyclonedx.org/bom',
      'https://slsa.dev/provenance/v1',
      'https://slsa.dev/provenance/v1',
    ]);
  });

  test('without a key, the keys of the server count', async () => {
    const report = await verify('site:v1', { key: undefined });
    expect(report.ok).toBe(true);
    expect(report.keysFrom).toContain(`${stack.url}/keys`);
  });

  test('of another commit than asked for is refused', async () => {
    const report = await verify('site:v1', { commit: OTHER });
    expect(problemsOf(report)).toEqual(['source is another commit']);
  });

  test('another key has signed none of it', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const key = join(outside, 'other.pem');
    writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
    const report = await verify('site:v1', { key });
    expect(report).toMatchObject({ ok: false, provenance: null, bundle: null, source: null, sbom: null });
    expect(problemsOf(report)).toEqual([`provenance is not signed by the key, but by ${signer.keyId}`]);
  });
});

test('an image from a repository leads to its commit without a bundle', async () => {
  await attested('plain', { from: git });
  const report = await verify('plain:v1', { commit: COMMIT });
  expect(report).toMatchObject({
    ok: true,
    attestations: 2,
    bundle: null,
    sbom: { digest: sha256(sbomText), components: 2 },
    provenance: { builtFrom: 'git' },
  });
});

test('an image from an upload leads to the archive', async () => {
  const digest: Digest = `sha256:${'d'.repeat(64)}`;
  await attested('uploaded', { from: { kind: 'upload', digest } });
  const report = await verify('uploaded:v1');
  expect(report).toMatchObject({
    ok: true,
    source: { commit: null, digest },
    sbom: { components: 2 },
    provenance: { builtFrom: 'upload' },
  });
});

test('an image without attestations proves nothing', async () => {
  await stack.pushImage('apps/images/bare', 'v1');
  expect(problemsOf(await verify('bare:v1'))).toEqual(['provenance is not attached to the image']);
});

test.each<[string, () => Promise<Case>, string]>([
  [
    'other-commit',
    async () => ({ from: fromBundle, documents: await documents(OTHER, signer) }),
    'source differs between image and bundle',
  ],
  [
    'other-signer',
    async () => ({ from: fromBundle, documents: await documents(COMMIT, await Signer.open(outside)) }),
    'bundle has no provenance here that the key has signed: where its source comes from is not proven',
  ],
  [
    'other-sbom',
    async () => ({ from: fromBundle, documents: await documents(COMMIT, signer, '{}\n') }),
    "SBOM is not the bundle's",
  ],
])('a broken chain is told: %s', async (name, make, problem) => {
  await attested(name, await make());
  const report = await verify(`${name}:v1`);
  expect(report.ok).toBe(false);
  expect(problemsOf(report)).toEqual([problem]);
});

test('what somebody else attaches does not help, and does no harm', async () => {
  const name = 'apps/images/mixed';
  const { digest } = await attested('mixed', { from: git });
  const attach = async (text: string) => {
    await stack.pushBlob(name, '{}');
    await stack.pushBlob(name, text);
    const size = Buffer.byteLength(text);
    const type = 'application/vnd.dsse.envelope.v1+json';
    await stack.putManifest(name, `x${size}`, {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: type,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256('{}'), size: 2 },
      layers: [{ mediaType: type, digest: sha256(text), size }],
      subject: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 },
    });
  };
  const forged: Envelope = (await Signer.open(outside)).sign({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: [{ name, digest: { sha256: digest.slice(7) } }],
    predicate: { buildDefinition: { buildType: 'https://stowage.example/build-types/image-build/v1' } },
  });
  await attach(JSON.stringify(forged));
  expect(await verify('mixed:v1', { commit: COMMIT })).toMatchObject({ ok: true, attestations: 3 });
  await attach('no envelope');
  const report = await verify('mixed:v1');
  expect(problemsOf(report)).toEqual(['attestation cannot be used: The attestation is no DSSE envelope']);
});

test.each(['', 'Apps/x', 'apps/x:', 'apps/x@sha256:12', 'host:port:1/x', 'a/b:t@md5:00', 'a//b'])(
  '"%s" is no reference',
  async (text) => {
    const verified = verifyImage(text, { server: stack.url }, new AbortController().signal);
    await expect(verified).rejects.toMatchObject({ code: 'invalid-input' });
  },
);

test('an image that is not there, and one that may not be read', async () => {
  await expect(verify('none:v1')).rejects.toMatchObject({ code: 'not-found' });
  const token = stack.authorization('eve').authorization!.slice('Bearer '.length);
  await expect(verify('site:v1', { token })).rejects.toMatchObject({
    code: expect.stringMatching(/forbidden|not-found/),
  });
});

test('the command: options behind "image" are its own, and the exit code says what is wrong', async () => {
  const token = stack.authorization('bob').authorization!.slice('Bearer '.length);
  const run = (...args: string[]) =>
    stowage(['verify', 'image', 'apps/images/site:v1', '--key', keyFile, ...args], {
      env: { STOWAGE_URL: stack.url, STOWAGE_TOKEN: token },
    });
  const [good, bad] = await Promise.all([run('--json'), run('--commit', OTHER)]);
  expect(good).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(good.stdout)).toMatchObject({ ok: true, source: { commit: COMMIT } });
  expect(bad.status).toBe(10);
  expect(bad.stdout.split('\n').map((line) => line.slice(0, 11).trim())).toEqual([
    ...['image', 'provenance', 'built', 'base image', 'bundle', 'source', 'sbom', 'FAILED', ''],
  ]);
  expect(bad.stdout).toContain(`FAILED      source is another commit: expected ${OTHER}, actual ${COMMIT}\n`);
});
