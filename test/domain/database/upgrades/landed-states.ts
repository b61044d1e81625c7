import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIGRATIONS } from '../../../../src/domain/database/pending-migrations.ts';

/** The migrations of one state of the main branch: a database that was made then has run these. */
export interface LandedState {
  name: string;
  /** Text by name. */
  migrations: ReadonlyMap<string, string>;
}

/**
 * Every state of migrations/ that was on the main branch (`git log --first-parent -- migrations`), by the first commit that
 * had it: what differs from the state before, as hashes of texts without comments; null: gone. A clone need not have the
 * history. Migrations that came later need no entry: each of them is one more state.
 */
const LANDED: readonly (readonly [string, Readonly<Record<string, string | null>>])[] = [
  ['611cf6e', { '0001-foundation.sql': 'b11a8530bbad' }],
  ['380885f', { '0001-foundation.sql': '3714bed470f2' }],
  ['1bb5809', { '0001-foundation.sql': 'c2ce61228297' }],
  ['322ccd2', { '0005-cachito-reads.sql': 'd3e5d1b63987' }],
  ['8631a8f', { '0006-lifecycle.sql': '11be2d1dc0bb' }],
  ['2b4b576', { '0003-git-submodules.sql': '81781fba7967' }],
  ['fbd5a36', { '0002-package-registries.sql': 'b29b20091fd5' }],
  ['e7e5afb', { '0002-package-registries.sql': '5e1b7b84cdf0' }],
  ['2201cff', { '0004-cachito-writes.sql': '617457f2b903' }],
  ['60ebfb6', { '0006-lifecycle.sql': '1ebe05de4424' }],
  ['421ea3e', { '0003-git-submodules.sql': 'fb3c4caae25c' }],
  [
    '44f8fb6',
    {
      '0010-registry.sql': '6885a70c8f65',
      '0011-bkrepo.sql': '7aab6563bb14',
      '0012-garbage.sql': '552d6f21f4b1',
      '0013-registry-views.sql': '1902c6cdafb4',
    },
  ],
  ['440563b', { '0014-image-builds.sql': 'fd23e9094f64' }],
  ['93fc818', { '0015-told-uploads.sql': '2167c390533f' }],
  ['8454125', { '0015-upstream-images.sql': '784e8e8fe851' }],
  ['85bca22', { '0016-gateway-addresses.sql': 'a4c742956b71' }],
  ['3ac882a', { '0017-build-sources.sql': '7cd0a287b4f1' }],
  ['19a3a40', { '0018-project-paths.sql': '780189a89061' }],
  ['2bb13d3', { '0018-account-email.sql': 'f83fecdc215e' }],
  ['759c764', { '0018-log-pages.sql': '682f26fc0235' }],
  ['c0f451d', { '0018-log-pages.sql': '02ffb461556d' }],
  ['9783662', { '0019-queue-positions.sql': '0283fb7a1925' }],
  [
    'b72b630',
    {
      '0015-upstream-images.sql': null,
      '0016-gateway-addresses.sql': null,
      '0016-upstream-images.sql': '784e8e8fe851',
      '0017-build-sources.sql': null,
      '0017-gateway-addresses.sql': 'a4c742956b71',
      '0018-account-email.sql': null,
      '0018-build-sources.sql': '7cd0a287b4f1',
      '0018-log-pages.sql': null,
      '0018-project-paths.sql': null,
      '0019-account-email.sql': 'f83fecdc215e',
      '0019-queue-positions.sql': null,
      '0020-log-pages.sql': '02ffb461556d',
      '0021-project-paths.sql': '780189a89061',
      '0022-queue-positions.sql': '0283fb7a1925',
    },
  ],
  ['6d703ba', { '0023-request-queue.sql': 'cd0f4f4a553e' }],
  ['c8ab2a0', { '0030-rotated-secrets.sql': 'b2d371518b49', '0031-audit-log.sql': 'd9b46c2185e5' }],
  ['8c7d392', { '0032-provenance-keys.sql': '0f3db47d83e7' }],
  ['5fb8cce', { '0040-retention.sql': '529fb4df8cb2' }],
  ['a745abd', { '0045-catch-up.sql': '8882aaec012c' }],
  ['8beef68', { '0048-traces.sql': 'c2ec706c19d1' }],
  ['d80e2bb', { '0041-large-tables.sql': 'f31d5bd0d751' }],
  ['0a0879a', { '0046-backups.sql': '4d8c057d1341', '0047-moved-feed.sql': '25c588b5f216' }],
  ['0cf578b', { '0042-worker-history.sql': '926fca831dd1' }],
  ['e39237d', { '0049-browser-sessions.sql': 'a452039a8d25' }],
];

/** A migration that was changed after it had landed: what it was, by what it is now. */
interface Former {
  of: string;
  hash: string;
  /** Each once, in the text without comments. */
  edits: readonly (readonly [now: string, then: string])[];
}

const WORKERS_THEN = [
  `concurrency integer not null,\n  metrics jsonb not null default '{}',`,
  'version bigint not null default 1,',
] as const;

const FORMER: readonly Former[] = [
  {
    of: '0001-foundation.sql',
    hash: 'b11a8530bbad',
    edits: [['  compacted_lines bigint not null default 0,\n', ''], WORKERS_THEN],
  },
  { of: '0001-foundation.sql', hash: '3714bed470f2', edits: [WORKERS_THEN] },
  {
    of: '0002-package-registries.sql',
    hash: 'b29b20091fd5',
    edits: [
      [
        'digest text not null references blobs on delete cascade,\n  reader text not null,\n' +
          '  facts json not null,\n  primary key (digest, reader)',
        'digest text primary key references blobs on delete cascade,\n  facts jsonb not null',
      ],
    ],
  },
  {
    of: '0003-git-submodules.sql',
    hash: '81781fba7967',
    edits: [['\nalter table bundle_request_steps add column is_idle boolean not null default false;', '']],
  },
  {
    of: '0006-lifecycle.sql',
    hash: '11be2d1dc0bb',
    edits: [
      ['\ncreate index on bundle_requests (cyclonedx_digest) where cyclonedx_digest is not null;', ''],
      ['\ncreate index on bundle_requests (spdx_digest) where spdx_digest is not null;', ''],
      ['\ncreate index on bundle_requests (provenance_digest) where provenance_digest is not null;', ''],
    ],
  },
  {
    of: '0020-log-pages.sql',
    hash: '682f26fc0235',
    edits: [['json_build_array(text)) order by', 'text) order by']],
  },
];

/** In the order in which they landed. Throws when a migration that has landed is not what it was. */
export function landedStates(): LandedState[] {
  const files = new Map(readdirSync(MIGRATIONS).map((name) => [name, textOf(name)]));
  const texts = new Map([...files.values()].map((text) => [hashOf(text), text]));
  for (const { of, hash, edits } of FORMER) {
    const text = edits.reduce(
      (changed, [now, then]) => changed.replace(now, () => then),
      bare(files.get(of)!),
    );
    if (hashOf(text) !== hash) throw new Error(`what ${of} was (${hash}) cannot be told from what it is`);
    texts.set(hash, text);
  }
  const states: LandedState[] = [];
  let migrations = new Map<string, string>();
  const add = (name: string, change: Iterable<readonly [string, string | null]>): void => {
    migrations = new Map(migrations);
    for (const [file, text] of change) {
      if (text === null) migrations.delete(file);
      else migrations.set(file, text);
    }
    states.push({ name, migrations });
  };
  for (const [commit, change] of LANDED) {
    add(
      commit,
      Object.entries(change).map(([file, hash]) => {
        const text = hash === null ? null : texts.get(hash);
        if (text === undefined) throw new Error(`${file} has landed as ${hash}, and must stay what it was`);
        return [file, text] as const;
      }),
    );
  }
  for (const [file, text] of [...files].sort()) if (!migrations.has(file)) add(file, [[file, text]]);
  return states;
}

function textOf(name: string): string {
  return readFileSync(join(MIGRATIONS, name), 'utf8');
}

function hashOf(text: string): string {
  return createHash('sha256').update(bare(text)).digest('hex').slice(0, 12);
}

/** Without comments and empty lines. */
function bare(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/\s*--.*/, ''));
  return lines.filter((line) => line.trim() !== '').join('\n');
}
