import { DomainError, NotFoundError } from '../../domain/errors.ts';
import { followWork } from '../client/follow-work.ts';
import { type BuildOutcome, buildEvents, cancelBuild, readBuild } from '../client/image-builds.ts';
import type { StowageClient } from '../client/stowage-client.ts';
import type { BuildReporter } from './reporter.ts';

/** The log is what a build is followed for. */
const LOG_GRACE_MS = 10_000;

/** Shows log and states until the build has ended. Throws its failure, or DomainError('interrupted'). */
export async function followBuild(
  client: StowageClient,
  number: number,
  reporter: BuildReporter,
  interrupted: AbortSignal,
): Promise<BuildOutcome> {
  const onLost = (error: Error) => reporter.warn(`${error.message}; trying again`);
  await followWork(
    client,
    {
      ...{ subject: 'imageBuild', number, logGraceMs: LOG_GRACE_MS },
      async showEvents(signal) {
        for await (const event of buildEvents(client, number, { signal, onLost })) reporter.buildEvent(event);
      },
      showLine: (line) => reporter.output(line),
      onLogLost: (error) => reporter.warn(`the log broke off: ${error.message}`),
      onInterrupt: () => reporter.note(`cancelling build ${number}`),
      cancel: () => cancelBuild(client, number),
    },
    interrupted,
  );
  return requireSuccess(await readBuild(client, number), number);
}

function requireSuccess(build: BuildOutcome | null, number: number): BuildOutcome {
  if (build === null) throw new NotFoundError(`Build ${number} is gone: its image was deleted`);
  if (build.state === 'succeeded') return build;
  const { failure, state } = build;
  if (!failure) throw new DomainError(`build-${state}`, `Build ${number} is ${state}`);
  throw new DomainError(failure.reason, failure.message, {
    details: failure.details ?? {},
    hint: HINTS[failure.reason] ?? `stowage logs --build ${number} shows its log.`,
  });
}

const HINTS: Record<string, string> = {
  'base-image-not-found':
    'Build or push it first under this name; docs/images.md makes one of Debian packages.',
};
