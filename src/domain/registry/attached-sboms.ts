import type { Database } from '../database/database.ts';
import { addJob } from '../database/sql/add-job.ts';
import { insertComponents } from '../database/sql/insert-dictionaries.ts';
import { findQueuedSbom, finishSbom, queueSbom, replaceImageComponents } from '../database/sql/sboms.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import type { ManifestDocument } from './manifest-document.ts';
import { purlsOfSbom, type SbomContents } from './sbom-purls.ts';

/** Of a referrer, or of its layers: it may be an SBOM as JSON. */
const MEDIA_TYPES = [
  'application/vnd.cyclonedx+json',
  'application/spdx+json',
  'text/spdx+json',
  'application/vnd.in-toto+json',
  'application/vnd.dsse.envelope.v1+json',
];

/** Annotation by which an attestation says what it is about, without being read. */
export const PREDICATE_TYPE = 'in-toto.io/predicate-type';
const NO_SBOMS = 'https://slsa.dev/';

/** Read while in memory. */
const MOST_BYTES = 32 * 1024 * 1024;
const MOST_PACKAGES = 200_000;

/** Notes that a manifest that is just being pushed is an SBOM of another one: a worker reads it. */
export async function noteAttachedSbom(
  sql: SqlExecutor,
  manifestId: number,
  {
    subject,
    layers,
    artifactType,
    annotations,
  }: Pick<ManifestDocument, 'subject' | 'layers' | 'artifactType' | 'annotations'>,
): Promise<void> {
  if (annotations?.[PREDICATE_TYPE]?.startsWith(NO_SBOMS)) return;
  const types = [artifactType ?? '', ...layers.map((layer) => layer.mediaType.split(';', 1)[0]!)];
  if (subject === null || !types.some((type) => MEDIA_TYPES.includes(type))) return;
  if (!(await queueSbom(sql, manifestId))) return;
  await addJob(sql, 'read-sbom', { manifestId }, { key: `read-sbom:${manifestId}`, priority: 10 });
}

/** Notes what an attached SBOM lists, for searches. One that cannot be read is noted as such, and changes nothing else. */
export async function readAttachedSbom(
  { database, blobs }: { database: Database; blobs: BlobStore },
  manifestId: number,
): Promise<void> {
  const layers = await findQueuedSbom(database.sql, manifestId, MEDIA_TYPES);
  if (layers === null) return;
  const contents: SbomContents[] = [];
  let problem: string | null = null;
  for (const layer of layers) {
    const read = await readLayer(blobs, layer);
    if (typeof read === 'string') problem ??= read;
    else contents.push(read);
  }
  const purls = [...new Set(contents.flatMap((one) => one.purls))];
  if (purls.length > MOST_PACKAGES) {
    problem = `It lists ${purls.length} packages, more than ${MOST_PACKAGES}`;
    purls.length = 0;
  }
  if (contents.length > 0 && purls.length > 0) problem = null;
  await database.transaction(async ({ sql }) => {
    const format = contents[0]?.format ?? null;
    if (!(await finishSbom(sql, { manifestId, format, problem }))) return;
    await insertComponents(
      sql,
      purls.map((purl) => ({ purl, version: null })),
    );
    await replaceImageComponents(sql, manifestId, purls);
  });
}

/** A text says why it cannot be read. */
async function readLayer(
  blobs: BlobStore,
  { digest, size }: { digest: Digest; size: number },
): Promise<SbomContents | string> {
  if (size > MOST_BYTES) return `It has ${size} bytes, more than ${MOST_BYTES}`;
  let document: unknown;
  try {
    document = JSON.parse((await blobs.readWhole(digest, MOST_BYTES)).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return 'It is not JSON';
    throw error;
  }
  try {
    return purlsOfSbom(document) ?? 'It is neither CycloneDX nor SPDX';
  } catch {
    return 'What it envelops is not JSON';
  }
}
