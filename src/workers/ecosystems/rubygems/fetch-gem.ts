import { NetworkError } from '../../../domain/errors.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { Artifact, ExpectedDigest } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import type { GemDependency } from './classify.ts';
import { inspectGem } from './gem-file.ts';
import { gemFileName } from './layout.ts';
import type { GemSource, Upstream } from './upstream.ts';

const MAX_INFO = 64 * 1024 * 1024;

/**
 * A gem, verified against the lock's CHECKSUMS, or else against what the registry itself publishes (prefetch.md 7.3).
 * What the registry said is remembered: a repeated request asks nobody.
 */
export async function fetchGem(
  context: Pick<ResolveContext, 'artifacts' | 'log'>,
  upstream: Upstream,
  { spec, remote, expected }: GemDependency,
): Promise<Artifact> {
  const { name, version } = spec;
  const source = upstream.sourceFor(remote);
  const fileName = gemFileName(name, version);
  const known = expected.length > 0 ? expected : await publishedDigest(context, source, name, version);
  if (known.length === 0) context.log.warn(`rubygems: no checksum is known of ${fileName}`);
  const url = `${source.url}gems/${fileName}`;
  const artifact = await context.artifacts.fetch({
    key: `rubygems:${source.url}:${name}-${version}`,
    url: withoutCredentials(`${remote.replace(/\/*$/, '/')}gems/${fileName}`),
    upstream: { url, headers: source.headersFor(url) },
    expected: known,
    fileName,
    record: [...new Set(known.map(({ algorithm }) => algorithm))],
    inspect: inspectGem(name, version),
  });
  return withDigestsOf(artifact, known);
}

/** Only what this request names: the store may know more digests, from others, and a report may not depend on them. */
function withDigestsOf(artifact: Artifact, known: readonly ExpectedDigest[]): Artifact {
  const { sha256 } = artifact.digests;
  const named = known.flatMap(({ algorithm }) => {
    const hex = artifact.digests[algorithm];
    return hex === undefined ? [] : [[algorithm, hex] as const];
  });
  return { ...artifact, digests: { ...Object.fromEntries(named), sha256 } };
}

/** The registry knows the gem, but publishes no checksum of it. */
class NothingPublished extends Error {}

/** Empty when the registry has no compact index. */
async function publishedDigest(
  { artifacts }: Pick<ResolveContext, 'artifacts'>,
  source: GemSource,
  name: string,
  version: string,
): Promise<ExpectedDigest[]> {
  const url = `${source.url}info/${name}`;
  try {
    const remembered = await artifacts.derive({
      key: `rubygems-checksum-1:${source.url}:${name}-${version}`,
      url,
      produce: async () => {
        const hex = await readChecksum({ artifacts }, source, url, version);
        return { content: Buffer.from(hex), metadata: hex };
      },
    });
    return [{ algorithm: 'sha256', hex: remembered.metadata as string }];
  } catch (error) {
    if (error instanceof NothingPublished) return [];
    throw error;
  }
}

async function readChecksum(
  { artifacts }: Pick<ResolveContext, 'artifacts'>,
  source: GemSource,
  url: string,
  version: string,
): Promise<string> {
  const { status, body } = await artifacts.fetchDocument({
    url,
    headers: source.headersFor(url),
    maxBytes: MAX_INFO,
    trusted: true,
    accept: [404],
  });
  if (status === 404) throw new NothingPublished();
  const line = lineOf(body.toString('utf8'), version);
  if (line === null) {
    throw new NetworkError('fetch-failed', `The registry has no version ${version}: ${source.url}`, {
      details: { url, version },
    });
  }
  const hex = /(?:\||,)checksum:([0-9a-f]{64})(?:,|$)/i.exec(line)?.[1];
  if (hex === undefined) throw new NothingPublished();
  return hex.toLowerCase();
}

/** `<version> <dependencies>|checksum:<sha256>,ruby:…`, a version a line. */
function lineOf(info: string, version: string): string | null {
  const line = info.split('\n').find((one) => one.startsWith(`${version} `));
  return line === undefined ? null : line.trimEnd();
}
