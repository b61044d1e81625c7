import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { failureCode, reportLines } from '../../../src/cli/verify/report.ts';
import { type VerificationReport, type VerifyOptions, verifyFile } from '../../../src/cli/verify/run.ts';
import { provenanceStatement } from '../../../src/domain/bundles/provenance.ts';
import { cycloneDx } from '../../../src/domain/bundles/sbom/cyclonedx.ts';
import { spdx } from '../../../src/domain/bundles/sbom/spdx.ts';
import { Signer } from '../../../src/domain/bundles/signing.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { component, sbomSubject } from '../../support/sbom-subject.ts';
import { type SmallBundle, smallBundle } from '../../support/small-bundle.ts';
import { stowage } from '../../support/stowage-command.ts';

const sha256 = (content: string): Digest => `sha256:${createHash('sha256').update(content).digest('hex')}`;

const directory = mkdtempSync(join(tmpdir(), 'stowage-verify-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
const archive = at('my-bundle.tar.gz');

let bundle: SmallBundle;
let signer: Signer;
let stranger: Signer;
/** The files of a good bundle by name. */
let good: Record<string, string | Buffer>;

/** What lies beside a bundle, as `stowage prefetch` writes it. */
function documents(sbomFormat: 'cyclonedx' | 'spdx', key = signer): Record<string, string> {
  const { manifestDigest, tarDigest, archiveDigest } = bundle.assembled;
  const components = [
    component({
      purl: 'pkg:npm/a@1.0.0',
      hashes: { sha256: sha256('first').slice(7) },
      bundlePaths: ['deps/npm/a/a-1.0.0.tgz'],
    }),
    component({ purl: 'pkg:npm/c@1.0.0' }),
  ];
  const subject = sbomSubject(components, { identity: manifestDigest });
  const texts = { cyclonedx: cycloneDx(subject), spdx: spdx(subject) };
  const statement = provenanceStatement({
    subjects: [
      { name: 'bundle.tar', digest: tarDigest },
      { name: 'bundle.tar.gz', digest: archiveDigest },
      { name: 'bundle.manifest.json', digest: manifestDigest },
      { name: 'bundle.sbom.cyclonedx.json', digest: sha256(texts.cyclonedx) },
      { name: 'bundle.sbom.spdx.json', digest: sha256(texts.spdx) },
    ],
    repository: 'https://git.example/org/app.git',
    ref: 'main',
    commit: 'c'.repeat(40),
    treeId: 'd'.repeat(40),
    packages: {},
    flags: [],
    dependencyReplacements: [],
    tools: {},
    components,
    policy: { rules: 'native', strictIntegrity: false },
    sboms: [],
    byproducts: [],
    builder: { id: 'https://builder.example', version: '0.1.0' },
    invocationId: 'bundle-request/1/1',
    startedOn: new Date(0),
    finishedOn: new Date(0),
  });
  return {
    'my-bundle.manifest.json': bundle.manifestText,
    'my-bundle.sbom.json': texts[sbomFormat],
    'my-bundle.provenance.jsonl': `${JSON.stringify(key.sign(statement))}\n`,
  };
}

const verify = (options: VerifyOptions = {}, file = archive): Promise<VerificationReport> =>
  verifyFile(file, options, new AbortController().signal, () => undefined);

beforeAll(async () => {
  bundle = await smallBundle();
  signer = await Signer.open(at('signer'));
  stranger = await Signer.open(at('stranger'));
  writeFileSync(at('signer.pem'), signer.publicKey);
  writeFileSync(at('stranger.pem'), stranger.publicKey);
  good = { 'my-bundle.tar.gz': bundle.archive, ...documents('cyclonedx') };
  process.env.STOWAGE_DATA_DIR = at('nothing');
});
afterAll(() => {
  delete process.env.STOWAGE_DATA_DIR;
});
beforeEach(() => {
  for (const name of ['my-bundle.sbom.json', 'my-bundle.provenance.jsonl']) rmSync(at(name), { force: true });
  for (const [name, content] of Object.entries(good)) writeFileSync(at(name), content);
});

describe('what lies beside a bundle', () => {
  test('a bundle as it was made', async () => {
    const { manifestDigest, tarDigest, tarSize, archiveDigest } = bundle.assembled;
    expect(await verify({ key: at('signer.pem') })).toEqual({
      ok: true,
      archive: { file: archive, digest: archiveDigest, size: bundle.archive.length },
      tar: { digest: tarDigest, size: tarSize },
      manifest: {
        file: at('my-bundle.manifest.json'),
        digest: manifestDigest,
        entries: bundle.manifest.entries.length,
      },
      sbom: {
        file: at('my-bundle.sbom.json'),
        digest: sha256(good['my-bundle.sbom.json'] as string),
        format: 'CycloneDX 1.6',
        components: 2,
      },
      provenance: {
        file: at('my-bundle.provenance.jsonl'),
        signature: 'verified',
        keyIds: [signer.keyId],
      },
      problemCount: 0,
      problems: [],
    });
  });

  test('SPDX is as good', async () => {
    for (const [name, content] of Object.entries(documents('spdx'))) writeFileSync(at(name), content);
    expect(await verify({ key: at('signer.pem') })).toMatchObject({ ok: true, sbom: { format: 'SPDX 2.3' } });
  });

  test('manifest alone', async () => {
    rmSync(at('my-bundle.sbom.json'));
    rmSync(at('my-bundle.provenance.jsonl'));
    expect(await verify()).toMatchObject({ ok: true, sbom: null, provenance: null });
  });

  test('the tar itself, as it is after gunzip', async () => {
    writeFileSync(at('my-bundle.tar'), gunzipSync(bundle.archive));
    expect(await verify({ key: at('signer.pem') }, at('my-bundle.tar'))).toMatchObject({
      ok: true,
      archive: { digest: bundle.assembled.tarDigest },
    });
  });

  const edit = (name: string, from: string | RegExp, to: string): void => {
    const text = readFileSync(at(name), 'utf8');
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    writeFileSync(at(name), changed);
  };
  const problems = async (options?: VerifyOptions): Promise<string[]> =>
    reportLines(await verify(options))
      .filter((line) => line.startsWith('FAILED'))
      .map((line) => line.replace(/^FAILED +/, ''));

  test('another archive', async () => {
    const other = gunzipSync(bundle.archive);
    other[other.indexOf('first')] = 'F'.charCodeAt(0);
    writeFileSync(archive, other);
    expect(await problems()).toEqual([
      `deps/npm/a/a-1.0.0.tgz has another digest: expected ${sha256('first')}, actual ${sha256('First')}`,
      expect.stringMatching(
        new RegExp(
          `^bundle.tar has another digest in the provenance: expected ${bundle.assembled.tarDigest}, actual`,
        ),
      ),
    ]);
  });

  test('another compression is found by the provenance', async () => {
    const other = Buffer.from(bundle.archive);
    // The time in the header of the first gzip member.
    other[4] = 1;
    writeFileSync(archive, other);
    expect(await problems()).toEqual([
      expect.stringMatching(
        /^bundle.tar.gz has another digest in the provenance: expected sha256:\w+, actual /,
      ),
    ]);
  });

  test('the SBOM of another bundle', async () => {
    edit('my-bundle.sbom.json', /urn:uuid:[^"]+/, 'urn:uuid:other');
    expect(await problems()).toEqual([
      expect.stringMatching(
        /^SBOM was made for another bundle: expected urn:uuid:[0-9a-f-]{36}, actual urn:uuid:other$/,
      ),
      expect.stringMatching(/^bundle.sbom.cyclonedx.json has another digest in the provenance: /),
    ]);
  });

  test('an SBOM that names other files', async () => {
    rmSync(at('my-bundle.provenance.jsonl'));
    edit('my-bundle.sbom.json', 'deps/npm/a/a-1.0.0.tgz', 'deps/npm/a/a-2.0.0.tgz');
    expect(await problems()).toEqual(['deps/npm/a/a-2.0.0.tgz is not in the bundle, but in the SBOM (a)']);
  });

  test('an SBOM with other digests', async () => {
    rmSync(at('my-bundle.provenance.jsonl'));
    edit('my-bundle.sbom.json', sha256('first').slice(7), sha256('other').slice(7));
    expect(await problems()).toEqual([
      `deps/npm/a/a-1.0.0.tgz has another digest in the SBOM: expected ${sha256('other')}, actual ${sha256('first')}`,
    ]);
  });

  test.each([
    ['text', 'hello', 'The SBOM cannot be read'],
    ['null', 'null', 'The SBOM cannot be read'],
    [
      'another format',
      '{"bomFormat":"CycloneDX","specVersion":"1.4"}',
      'The SBOM is neither CycloneDX 1.6 nor SPDX 2.3',
    ],
    [
      'wrong types',
      '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[null]}',
      'The SBOM cannot be read',
    ],
    ['bytes', Buffer.from([0xff, 0xfe]), 'The SBOM is not UTF-8'],
  ])('an SBOM that is none: %s', async (_what, content, message) => {
    writeFileSync(at('my-bundle.sbom.json'), content);
    const found = await verify();
    expect(found.problems).toMatchObject([
      { code: 'unexpected-format', path: 'SBOM', what: `cannot be used: ${message}` },
    ]);
    expect(failureCode(found)).toBe('unexpected-format');
  });

  test.each([
    ['text', 'hello', 'The attestation is no DSSE envelope'],
    ['null', 'null', 'The attestation is no DSSE envelope'],
    ['nothing', '', 'There is no SLSA provenance in the file of attestations'],
    [
      'signatures that are none',
      '{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[null]}',
      'The attestation is no DSSE envelope',
    ],
    [
      'another payload',
      '{"payloadType":"text/plain","payload":"e30=","signatures":[]}',
      'The attestation holds no in-toto statement',
    ],
    [
      'a payload that is no JSON',
      '{"payloadType":"application/vnd.in-toto+json","payload":"Zm9v","signatures":[]}',
      'The attestation holds no in-toto statement',
    ],
    [
      'another predicate',
      '{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}',
      'There is no SLSA provenance in the file of attestations',
    ],
  ])('a provenance that is none: %s', async (_what, content, message) => {
    writeFileSync(at('my-bundle.provenance.jsonl'), content);
    expect((await verify()).problems).toMatchObject([
      { code: 'unexpected-format', path: 'provenance', what: `cannot be used: ${message}` },
    ]);
  });

  test('a key that has not signed', async () => {
    expect(await problems({ key: at('stranger.pem') })).toEqual([
      `provenance is not signed by the key: expected ${stranger.keyId}, actual ${signer.keyId}`,
    ]);
  });

  test('a statement that was changed after it was signed', async () => {
    const envelope = JSON.parse(readFileSync(at('my-bundle.provenance.jsonl'), 'utf8')) as {
      payload: string;
    };
    const payload = Buffer.from(envelope.payload, 'base64').toString().replace('git.example', 'bad.example');
    const changed = { ...envelope, payload: Buffer.from(payload).toString('base64') };
    writeFileSync(at('my-bundle.provenance.jsonl'), JSON.stringify(changed));
    expect(await problems({ key: at('signer.pem') })).toEqual([
      `provenance is not signed by the key: expected ${signer.keyId}, actual ${signer.keyId}`,
    ]);
  });

  test('a signature in a form that the key cannot have', async () => {
    edit('my-bundle.provenance.jsonl', /"sig":"[^"]+"/, '"sig":"AA=="');
    expect(await problems({ key: at('signer.pem') })).toHaveLength(1);
  });

  test('a key, and no provenance', async () => {
    rmSync(at('my-bundle.provenance.jsonl'));
    expect(await problems({ key: at('signer.pem') })).toEqual([
      `provenance is missing, and a key was given: expected ${at('my-bundle.provenance.jsonl')}`,
    ]);
  });

  test('without a key the report says that the signature was not verified', async () => {
    const report = await verify();
    expect(report).toMatchObject({ ok: true, provenance: { signature: 'not verified' } });
    expect(reportLines(report)).toContain(
      `provenance  digests compared, signature NOT verified (of key ${signer.keyId}); name the public key with --key FILE`,
    );
  });

  test('the key of the data directory counts when it is the one that signed', async () => {
    process.env.STOWAGE_DATA_DIR = at('signer');
    expect(await verify()).toMatchObject({ ok: true, provenance: { signature: 'verified' } });
    edit('my-bundle.provenance.jsonl', /"sig":"[^"]+"/, '"sig":"AA=="');
    expect(await verify()).toMatchObject({ ok: false, provenance: { signature: 'not verified' } });
    process.env.STOWAGE_DATA_DIR = at('stranger');
    expect(await verify()).toMatchObject({ ok: true, provenance: { signature: 'not verified' } });
    process.env.STOWAGE_DATA_DIR = at('nothing');
  });

  test('names cannot paint on the terminal', async () => {
    rmSync(at('my-bundle.provenance.jsonl'));
    edit('my-bundle.sbom.json', 'deps/npm/a/a-1.0.0.tgz', '\\u001b[31mred\\n');
    expect(await problems()).toEqual(['\\u001b[31mred\\n is not in the bundle, but in the SBOM (a)']);
  });
});

describe('the command', () => {
  const runVerify = (...args: string[]) =>
    stowage(['verify', ...args], { env: { STOWAGE_DATA_DIR: at('signer') } });

  test('0: everything is as it should be', async () => {
    const { status, stdout, stderr } = await runVerify(archive);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      `archive     ${bundle.assembled.archiveDigest} my-bundle.tar.gz (${(bundle.archive.length / 1000).toFixed(1)} kB)`,
      `tar         ${bundle.assembled.tarDigest}`,
      `manifest    ${bundle.assembled.manifestDigest} (${bundle.manifest.entries.length} entries)`,
      'sbom        CycloneDX 1.6, 2 components',
      `provenance  signature verified, key ${signer.keyId}`,
      'ok',
      '',
    ]);
  });

  test('10: a file is another one', async () => {
    writeFileSync(
      at('my-bundle.manifest.json'),
      bundle.manifestText.replace(sha256('first'), sha256('other')),
    );
    const { status, stdout } = await runVerify(archive);
    expect(status).toBe(10);
    expect(stdout).toContain(
      `FAILED      deps/npm/a/a-1.0.0.tgz has another digest: expected ${sha256('other')}, actual ${sha256('first')}\n`,
    );
    expect(stdout).not.toMatch(/^ok$/m);
  });

  test('7: the file is no archive', async () => {
    rmSync(at('my-bundle.provenance.jsonl'));
    writeFileSync(archive, 'hello'.repeat(200));
    const { status, stdout } = await runVerify('--json', archive);
    expect(status).toBe(7);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      problems: [{ code: 'unexpected-format', what: 'There is no tar header at byte 0' }],
    });
  });

  test('3: the manifest names something outside', async () => {
    writeFileSync(at('other.json'), bundle.manifestText.replaceAll('"app/', '"../'));
    expect(await runVerify('--manifest', at('other.json'), archive)).toEqual({
      status: 3,
      stdout: '',
      stderr: expect.stringContaining('error: The manifest names "../README.md", outside of the bundle\n'),
    });
  });

  test('4: no manifest, no key', async () => {
    rmSync(at('my-bundle.manifest.json'));
    const { status, stdout, stderr } = await runVerify('--json', archive);
    expect({ status, stderr }).toEqual({ status: 4, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      error: {
        message: `There is no manifest ${at('my-bundle.manifest.json')} beside the bundle`,
        hint: 'Name it with --manifest FILE.',
      },
    });
    writeFileSync(at('no-key.pem'), 'hello');
    expect(await runVerify('--key', at('no-key.pem'), archive)).toMatchObject({
      status: 4,
      stderr: 'error: The key is no public key in PEM form\n',
    });
  });

  test('1: no such file', async () => {
    expect(await runVerify(at('absent.tar.gz'))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`error: There is no file ${at('absent.tar.gz')}\n`),
    });
  });
});
