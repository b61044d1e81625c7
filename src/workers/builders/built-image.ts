import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';
import type { BuiltImage, ImageDestination } from './image-builder.ts';

const TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/** What the registry has got under a digest. Throws BuildFailure `push-failed` when it has not. */
export async function builtImage(
  { url, path, credentials: { username, password } }: ImageDestination,
  digest: string,
  signal: AbortSignal,
): Promise<Pick<BuiltImage, 'digest' | 'mediaType' | 'size'>> {
  const { statusCode, headers, body } = await request(
    `${url.replace(/\/$/, '')}/v2/${path}/manifests/${digest}`,
    {
      headers: {
        accept: TYPES.join(', '),
        authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      },
      signal,
    },
  );
  const answer = await text(body);
  if (statusCode !== 200) {
    throw new BuildFailure(
      'push-failed',
      `The registry answers with status ${statusCode} for what was pushed`,
      {
        retryable: true,
      },
    );
  }
  const manifest = JSON.parse(answer) as { config?: Sized; layers?: Sized[] };
  return {
    digest: headers['docker-content-digest'] as Digest,
    mediaType: String(headers['content-type']),
    size: [manifest.config, ...(manifest.layers ?? [])].reduce((sum, part) => sum + (part?.size ?? 0), 0),
  };
}

interface Sized {
  size: number;
}
