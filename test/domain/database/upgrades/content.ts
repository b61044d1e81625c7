import { createHash } from 'node:crypto';
import type { Digest, StoredBlob } from '../../../../src/domain/storage/blob-store.ts';
import { MemoryBlobStore } from '../../../support/memory-blob-store.ts';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_MANIFEST,
} from '../../../support/registry-stack.ts';
import { type SmallBundle, smallBundle } from '../../../support/small-bundle.ts';

const TOKEN = 'stw_of-ada';
const CONFIG = '{"os":"linux","architecture":"amd64"}';
const LAYER = 'a layer';
const AT = '2026-01-02T03:04:05.678Z';

/** What the tables of every state name: a bundle, an image, a log. */
export interface Content {
  blobs: MemoryBlobStore;
  bundle: SmallBundle;
  manifest: { text: string; digest: Digest };
}

export async function content(): Promise<Content> {
  const blobs = new MemoryBlobStore();
  const bundle = await smallBundle(blobs);
  const text = JSON.stringify(
    imageManifest({ config: descriptor(CONFIG, OCI_CONFIG), layers: [descriptor(LAYER, OCI_LAYER)] }),
  );
  for (const bytes of [CONFIG, LAYER, '<svg/>', COMPACTED]) blobs.put(Buffer.from(bytes));
  return { blobs, bundle, manifest: { text, digest: blobs.put(Buffer.from(text)).digest } };
}

const LOG = ['first', 'second, with "quotes" and \\', 'third: ü'];
const COMPACTED = `${JSON.stringify({ number: 1, at: AT, level: 'warn', source: 'recovery', text: 'packed' })}\n`;

/** How lines of a log are kept: a row each, pages of single texts, pages of runs of texts. */
export type LogForm = 'rows' | 'texts' | 'runs';

export const EXPECTED = {
  authorization: `Bearer ${TOKEN}`,
  states: ['stale', 'cancelled', 'failed', 'complete', 'in_progress'],
  complete: 2,
  log: LOG.map((line, index) => ({
    number: index + 1,
    at: new Date(AT),
    level: 'info' as const,
    source: 'fetch-source',
    text: line,
  })),
  packed: ['packed'],
  image: 'apps/images/web',
};

type Rows = readonly (readonly [table: string, ...rows: Record<string, unknown>[]])[];

/** At least one row for each table. A column or table that a state has not is left out there. */
export function rowsOf({ blobs, bundle, manifest }: Content, logForm: LogForm): Rows {
  const { assembled } = bundle;
  const stored: StoredBlob[] = [...blobs.blobs].map(([, bytes]) => blobs.put(bytes));
  const digestOf = (text: string): Digest => sha256(text);
  const json = JSON.stringify;
  const request = (id: number, state: string, more: object = {}): Record<string, unknown> => ({
    ...{ id, project_id: 1, user_id: 1, submitted_by_id: 1, repository: 'https://git.example/app.git' },
    ...{ requested_ref: 'main', commit: 'c'.repeat(40), rules: 'native', package_managers: ['npm', 'pip'] },
    ...{
      state,
      state_reason: `it is ${state}`,
      version: 3,
      packages: json({ npm: [{ path: '.' }] }),
      ...more,
    },
  });
  const line = (text: string) => (logForm === 'runs' ? [text] : text);
  const pages = [LOG.slice(0, 2), LOG.slice(2)].map((texts, page) => ({
    ...{ stream_id: 1, first_number: page === 0 ? 1 : 3, last_number: page === 0 ? 2 : 3 },
    lines: json(texts.map((text) => [Date.parse(AT), 'info', 'fetch-source', line(text)])),
  }));
  return [
    [
      'users',
      { id: 1, name: 'ada', password_hash: 'scrypt$nothing', is_admin: true },
      { id: 2, name: 'Zoë', disabled_at: AT },
    ],
    ['tokens', { id: 1, user_id: 1, name: 'ci', secret_hash: hash(TOKEN), scopes: ['read', 'write'] }],
    [
      'projects',
      { id: 1, name: 'apps', visibility: 'private' },
      { id: 2, name: 'Öffentlich & Co', visibility: 'public' },
      { id: 3, name: 'ffentlich-co' },
    ],
    ['project_members', { project_id: 1, user_id: 1, role: 'owner' }],
    ['blobs', ...stored.map(({ digest, size, crc32 }) => ({ digest, size, crc32 }))],
    [
      'artifacts',
      { key: 'npm:a', url: 'https://npm.example/a.tgz', digest: digestOf('first'), digests: '{}' },
    ],
    ['artifact_claims', { key: 'npm:b', claimed_by: 'host:1:x' }],
    [
      'source_snapshots',
      {
        ...{ id: 1, origin: 'https://git.example/app.git', commit: 'c'.repeat(40), tree_id: 't'.repeat(40) },
        ...{
          commit_time: 1,
          index_digest: assembled.manifestDigest,
          pack_digest: assembled.sourceMemberDigest,
        },
        ...{ size: 1, files: 1 },
      },
    ],
    ['repository_tags', { origin: 'https://git.example/app.git', commit: 'c'.repeat(40), tags: '["v1"]' }],
    ['uploads', { id: 1, user_id: 1, file_name: 'app.zip', digest: digestOf('second'), size: 6 }],
    [
      'bundles',
      {
        ...{ manifest_digest: assembled.manifestDigest, tar_digest: assembled.tarDigest },
        ...{ tar_size: assembled.tarSize, archive_digest: assembled.archiveDigest },
        ...{ archive_size: assembled.archiveSize, writer_version: assembled.writerVersion },
        ...{ source_member_digest: assembled.sourceMemberDigest, entries: assembled.entries },
      },
    ],
    [
      'bundle_blobs',
      ...assembled.blobs.map((digest) => ({ manifest_digest: assembled.manifestDigest, digest })),
    ],
    [
      'source_members',
      {
        ...{ listing_digest: digestOf('listing'), digest: assembled.sourceMemberDigest },
        writer_version: assembled.writerVersion,
      },
    ],
    [
      'bundle_requests',
      request(1, 'in_progress'),
      request(2, 'complete', {
        ...{ bundle_digest: assembled.manifestDigest, snapshot_id: 1, cyclonedx_digest: digestOf('first') },
        ...{ finished_at: AT, packages_count: 1, dependencies_count: 1 },
      }),
      request(3, 'failed', {
        error: json({ message: 'no' }),
        rules: 'cachito',
        repository: null,
        upload_id: 1,
      }),
      request(4, 'cancelled', { project_id: null }),
      request(5, 'stale'),
    ],
    [
      'bundle_request_states',
      { request_id: 2, version: 1, state: 'in_progress', reason: 'The request was initiated', at: AT },
    ],
    [
      'bundle_request_steps',
      { id: 1, request_id: 1, task: 'fetch-source', state: 'queued', queued_at: AT },
      { id: 2, request_id: 1, task: 'resolve-packages', package_manager: 'npm', state: 'waiting' },
      { id: 3, request_id: 2, task: 'assemble-bundle', state: 'succeeded', result_digest: digestOf('first') },
      { id: 4, request_id: 3, task: 'fetch-source', state: 'failed' },
      { id: 5, request_id: 4, task: 'fetch-source', state: 'cancelled' },
    ],
    [
      'bundle_request_environment',
      { id: 1, request_id: 2, form: 'offline', name: 'PIP_NO_INDEX', value: '1', kind: 'literal' },
    ],
    [
      'bundle_request_configuration_files',
      { id: 1, request_id: 2, form: 'registry', path: '.npmrc', content: Buffer.from('a=b') },
    ],
    [
      'package_versions',
      { id: 1, type: 'npm', name: 'app', version: '1.0.0' },
      { id: 2, type: 'npm', name: 'a', version: null },
    ],
    ['request_packages', { id: 1, request_id: 2, position: 0, package_version_id: 1, path: '.' }],
    ['package_dependencies', { package_id: 1, position: 0, package_version_id: 2, dev: false }],
    ['components', { id: 1, purl: 'pkg:npm/a@1.0.0', type: 'npm', name: 'a', version: '1.0.0' }],
    ['request_components', { component_id: 1, request_id: 2, is_source_package: false }],
    [
      'events',
      {
        subject_type: 'bundle-request',
        subject_id: 2,
        version: 1,
        type: 'state',
        data: json({ state: 'in_progress' }),
      },
      {
        subject_type: 'bundle-request',
        subject_id: 2,
        version: 2,
        type: 'state',
        data: json({ state: 'complete' }),
      },
    ],
    [
      'log_streams',
      { id: 1, subject_type: 'bundle-request', subject_id: 1, lines: 3 },
      {
        ...{ id: 2, subject_type: 'bundle-request', subject_id: 2, lines: 1, closed: true },
        ...{ compacted_lines: 1, digest: digestOf(COMPACTED) },
      },
    ],
    [
      'log_lines',
      ...LOG.map((text, index) => ({
        ...{ stream_id: 1, number: index + 1, at: AT, level: 'info', source: 'fetch-source', text },
      })),
    ],
    ['log_pages', ...pages],
    [
      'workers',
      {
        ...{
          id: '00000000-0000-4000-8000-000000000001',
          host: 'one',
          pid: 1,
          pool_id: 'pool',
          concurrency: 2,
        },
        heartbeat_at: AT,
      },
    ],
    ['package_registries', { request_id: 2, password: 'open' }],
    ['package_file_facts', { digest: digestOf('first'), reader: 'npm-1', facts: '{"name":"a"}' }],
    ['repositories', { id: 1, project_id: 1, name: 'images', retention: json({ untaggedDays: 7 }) }],
    ['repository_members', { repository_id: 1, user_id: 2, role: 'viewer' }],
    ['images', { id: 1, repository_id: 1, name: 'web', path: EXPECTED.image, version: 1 }],
    [
      'image_blobs',
      { image_id: 1, digest: digestOf(CONFIG), is_named: true },
      { image_id: 1, digest: digestOf(LAYER), is_named: true },
    ],
    ['blob_addresses', { address: `sha512:${'a'.repeat(128)}`, digest: digestOf(LAYER) }],
    [
      'manifests',
      {
        ...{ id: 1, image_id: 1, digest: manifest.digest, media_type: OCI_MANIFEST },
        ...{
          size: Buffer.byteLength(manifest.text),
          config_digest: digestOf(CONFIG),
          config_media_type: OCI_CONFIG,
        },
        ...{ os: 'linux', architecture: 'amd64', image_size: 1, untagged_at: null },
      },
    ],
    [
      'manifest_blobs',
      {
        ...{
          manifest_id: 1,
          position: 0,
          role: 'config',
          address: digestOf(CONFIG),
          digest: digestOf(CONFIG),
        },
        ...{ media_type: OCI_CONFIG, size: CONFIG.length },
      },
      {
        ...{ manifest_id: 1, position: 1, role: 'layer', address: digestOf(LAYER), digest: digestOf(LAYER) },
        ...{ media_type: OCI_LAYER, size: LAYER.length },
      },
    ],
    [
      'manifest_children',
      {
        ...{ manifest_id: 1, position: 0, address: digestOf('x'), digest: digestOf('x') },
        ...{ media_type: OCI_MANIFEST, size: 1 },
      },
    ],
    ['tags', { image_id: 1, name: 'v1', manifest_id: 1, stages: ['@release'] }],
    ['tag_pulls', { image_id: 1, tag: 'v1', day: '2026-01-02', pulls: 3 }],
    ['upload_sessions', { id: '00000000-0000-4000-8000-000000000002', image_id: 1, user_id: 1 }],
    ['shared_secrets', { purpose: 'registry-tokens', secret: Buffer.from('secret') }],
    [
      'refresh_tokens',
      { secret_hash: hash('refresh'), user_id: 1, token_id: 1, scopes: ['read'], expires_at: AT },
    ],
    ['platform_accounts', { id: 1, name: 'dashboard' }],
    ['platform_keys', { access_key: 'key', account_id: 1, secret_hash: hash('platform') }],
    ['removed_blobs', { digest: digestOf('gone') }],
    ['garbage_runs', { id: 1, state: 'complete', removed: json({ unnamedBlobs: { items: 1, bytes: 1 } }) }],
    ['sboms', { manifest_id: 1, state: 'read', format: 'spdx' }],
    ['image_components', { component_id: 1, sbom_id: 1 }],
    ['published_images', { id: 1, project_id: 1, repository: 'images', name: 'Web', path: EXPECTED.image }],
    ['published_versions', { id: 1, image_id: 1, name: 'v1' }],
    [
      'image_builds',
      ...['queued', 'running', 'succeeded', 'failed', 'cancelled'].map((state, index) => ({
        ...{ id: index + 1, version_id: 1, project_id: 1, user_id: 1, options: '{}', state },
        ...(state === 'queued' ? { upload_id: 1 } : { request_id: 2 }),
      })),
    ],
    ['image_build_secrets', { build_id: 1, id: 'npmrc', value: 'hush' }],
    [
      'gateway_addresses',
      { id: '00000000-0000-4000-8000-000000000003', host: 'one', local_url: 'http://127.0.0.1:1' },
    ],
    ['request_queue', { request_id: 1, share: 'project:1', places: 4, is_admitted: true }],
    ['paused_tasks', { task: 'build-image', reason: 'maintenance', paused_by_id: 1 }],
    ['audit_log', { id: 1, user_name: 'ada', action: 'createToken', details: '{}' }],
    ['provenance_keys', { id: digestOf('key'), pem: '-----BEGIN PUBLIC KEY-----' }],
  ];
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function sha256(text: string): Digest {
  return `sha256:${hash(text).toString('hex')}`;
}
