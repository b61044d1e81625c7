import type { Role } from '../../identity/project.ts';
import type { Digest } from '../../storage/blob-store.ts';
import type { Database } from '../database.ts';

/** What one request to the registry must know before it does anything. */
export interface ImageQuestion {
  /** null: anonymous. */
  userId: number | null;
  /** null: no token, or one that is checked elsewhere. */
  tokenId: number | null;
  /** As paths of images call it, or, `isByName`, as its users do. */
  project: string;
  isByName: boolean;
  repository: string;
  /** Begins with `project`. */
  path: string;
  tag: string | null;
  /** Address of a manifest. */
  manifest: string | null;
  /** Address of a blob. */
  blob: string | null;
}

export interface FoundManifest {
  id: number;
  digest: Digest;
  sha512: string | null;
  mediaType: string;
  size: number;
  /** Without a tag, and not touched for a while: the collector may come for it. */
  isStale: boolean;
}

interface FoundBlob {
  digest: Digest;
  size: number;
  /** Not named by a manifest, and not touched for a while: the next grace period is near. */
  isStale: boolean;
}

export interface ImageAnswer {
  isUserActive: boolean;
  isAdmin: boolean;
  projectId: number | null;
  isPublicProject: boolean;
  projectRole: Role | null;
  repositoryId: number | null;
  isPublicRepository: boolean;
  category: string | null;
  /** Whether its images are copies of those of another registry. */
  isCopy: boolean;
  quota: number | null;
  repositoryRole: Role | null;
  imageId: number | null;
  manifest: FoundManifest | null;
  blob: FoundBlob | null;
}

/** Long before the grace period of the collector ends, also where somebody has set a short one. */
const STALE_AFTER = '1 second';

/** @param questions a row for each of them */
const statementOf = (questions: string): string => `
  select
    u.id is not null as "isUserActive", coalesce(u.is_admin, false) as "isAdmin",
    p.id as "projectId", coalesce(p.visibility = 'public', false) as "isPublicProject", pm.role as "projectRole",
    r.id as "repositoryId", coalesce(r.is_public, false) as "isPublicRepository", r.category,
    r.upstream is not null as "isCopy", r.quota,
    rm.role as "repositoryRole",
    i.id as "imageId",
    m.id as "manifestId", m.digest as "manifestDigest", m.sha512, m.media_type as "mediaType", m.size as "manifestSize",
    m.untagged_at is not null and m.touched_at < now() - interval '${STALE_AFTER}' as "isManifestStale",
    b.digest as "blobDigest", b.size as "blobSize",
    not l.is_named and l.touched_at < now() - interval '${STALE_AFTER}' as "isStale",
    pg_current_snapshot()::text as snapshot
  from ${questions} as q (user_id, token_id, project, is_by_name, repository, path, tag, manifest, blob, n)
  left join users u on u.id = q.user_id and u.disabled_at is null and (
    q.token_id is null or exists (
      select from tokens t where t.id = q.token_id and t.user_id = u.id and (t.expires_at is null or t.expires_at > now())
    )
  )
  left join projects p on p.id = case
    when q.is_by_name then (select named.id from projects named where named.name = q.project)
    else (select placed.id from projects placed where placed.path = q.project)
  end
  left join project_members pm on pm.project_id = p.id and pm.user_id = u.id
  left join repositories r on r.project_id = p.id and r.name = q.repository
  left join repository_members rm on rm.repository_id = r.id and rm.user_id = u.id
  left join images i on i.path = p.path || substr(q.path, length(q.project) + 1)
  left join tags t on t.image_id = i.id and t.name = q.tag
  left join manifests m on m.id = coalesce(
    t.manifest_id,
    (select d.id from manifests d where d.image_id = i.id and d.digest = q.manifest),
    (select d.id from manifests d where d.image_id = i.id and d.sha512 = q.manifest)
  )
  left join image_blobs l on l.image_id = i.id and l.digest = coalesce(
    (select a.digest from blob_addresses a where a.address = q.blob), q.blob
  )
  left join blobs b on b.digest = l.digest and b.damaged_at is null
  order by q.n`;

interface Row extends Omit<ImageAnswer, 'manifest' | 'blob'> {
  manifestId: number | null;
  manifestDigest: Digest;
  sha512: string | null;
  mediaType: string;
  manifestSize: number;
  isManifestStale: boolean;
  blobDigest: Digest | null;
  blobSize: number;
  isStale: boolean;
  snapshot: Snapshot;
}

/**
 * Of the database: which transactions have ended. As long as it is the same one, nothing has changed, and neither has an
 * answer.
 */
export type Snapshot = string;

export interface ResolvedImage {
  answer: ImageAnswer;
  snapshot: Snapshot;
}

/** Costs a fraction of any question. Whatever was committed before this is called makes it another one. */
export async function currentSnapshot({ pool }: Pick<Database, 'pool'>): Promise<Snapshot> {
  const { rows } = await pool.query<{ snapshot: Snapshot }>({
    name: 'current-snapshot',
    text: 'select pg_current_snapshot()::text as snapshot',
  });
  return rows[0]!.snapshot;
}

/** Answers many questions at once, in their order. Prepared: planning it takes longer than running it. */
export async function resolveImages(
  { pool }: Pick<Database, 'pool'>,
  questions: readonly ImageQuestion[],
): Promise<ResolvedImage[]> {
  const { rows } = await pool.query<Row>(
    questions.length <= FEW_STATEMENTS.length
      ? { ...FEW_STATEMENTS[questions.length - 1]!, values: questions.flatMap(valuesOf) }
      : { ...MANY_STATEMENT, values: COLUMNS.map((key) => questions.map((question) => question[key])) },
  );
  return rows.map((row) => ({ answer: answerOf(row), snapshot: row.snapshot }));
}

const TYPES: Record<keyof ImageQuestion, 'bigint' | 'text' | 'boolean'> = {
  userId: 'bigint',
  tokenId: 'bigint',
  project: 'text',
  isByName: 'boolean',
  repository: 'text',
  path: 'text',
  tag: 'text',
  manifest: 'text',
  blob: 'text',
};
const COLUMNS = Object.keys(TYPES) as (keyof ImageQuestion)[];

function valuesOf(question: ImageQuestion): unknown[] {
  return COLUMNS.map((key) => question[key]);
}

/**
 * One for each small number of questions. The server guesses wrong how many questions are in arrays, finds its prepared
 * plan dear and plans anew each time, which takes ten times as long as the answer; rows it can count.
 */
const FEW_STATEMENTS = [1, 2, 3, 4].map((count) => {
  const rowOf = (_: unknown, row: number): string => {
    const values = COLUMNS.map((key, index) => `$${row * COLUMNS.length + index + 1}::${TYPES[key]}`);
    return `(${values.join(', ')}, ${row + 1})`;
  };
  const rows = Array.from({ length: count }, rowOf).join(', ');
  return { name: `resolve-images-${count}`, text: statementOf(`(values ${rows})`) };
});

const MANY_STATEMENT = {
  name: 'resolve-images',
  text: statementOf(
    `unnest(${COLUMNS.map((key, index) => `$${index + 1}::${TYPES[key]}[]`).join(', ')}) with ordinality`,
  ),
};

function answerOf(row: Row): ImageAnswer {
  const {
    manifestId,
    manifestDigest,
    sha512,
    mediaType,
    manifestSize,
    isManifestStale,
    blobDigest,
    blobSize,
    isStale,
    snapshot: _snapshot,
    ...rest
  } = row;
  return {
    ...rest,
    manifest:
      manifestId === null
        ? null
        : {
            id: manifestId,
            digest: manifestDigest,
            sha512,
            mediaType,
            size: manifestSize,
            isStale: isManifestStale,
          },
    blob: blobDigest === null ? null : { digest: blobDigest, size: blobSize, isStale },
  };
}
