import type { Settings } from '../../domain/config.ts';
import type { SubmissionInput } from '../client/bundle-requests.ts';
import type { Server } from '../client/connect.ts';
import { uploadSource } from '../client/upload-source.ts';
import { type LocalCheckout, packCommit } from './local-checkout.ts';
import type { PrefetchReporter } from './reporter.ts';
import { localRepositoryUrl, repositoryName } from './source-argument.ts';

/** A remote server cannot see a local repository: it gets the commit's tree. */
export async function sendCheckout(
  server: Server,
  checkout: LocalCheckout,
  { withGitDirectory }: { withGitDirectory: boolean },
  settings: Settings,
  reporter: Pick<PrefetchReporter, 'phase' | 'transferred'>,
  signal: AbortSignal,
): Promise<Pick<SubmissionInput, 'repository' | 'ref' | 'upload'>> {
  const { root, commit } = checkout;
  if (server.url === null) return { repository: localRepositoryUrl(root), ref: commit };
  reporter.phase('uploading the source');
  const answered = new AbortController();
  const sending = AbortSignal.any([signal, answered.signal]);
  try {
    const upload = await uploadSource(server.client, {
      fileName: `${repositoryName(root)}-${commit.slice(0, 12)}.tar`,
      content: packCommit(settings, checkout, sending, { withGitDirectory }),
      signal: sending,
      onProgress: (bytes) => reporter.transferred(bytes, null),
    });
    return { upload };
  } finally {
    // A server that refuses does not read to the end, and its connection would be kept open for the rest.
    answered.abort();
  }
}
