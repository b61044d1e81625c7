import { expect, test } from 'vitest';
import { BuildFailure } from '../../../src/domain/images/build-failure.ts';
import {
  pushFailure,
  RegistryAwayError,
  whenRegistryAnswers,
} from '../../../src/workers/builders/registry-away.ts';

const IS_AWAY = [
  [
    true,
    'Error: pinging container registry: Get "http://127.0.0.1:8080/v2/": dial tcp: connect: connection refused',
  ],
  [true, 'read tcp 127.0.0.1:1->127.0.0.1:2: read: connection reset by peer'],
  [true, 'writing blob: uploading layer chunked: received unexpected HTTP status: 503 Service Unavailable'],
  [true, 'Patch "http://127.0.0.1:2/v2/a/blobs/uploads/1": EOF'],
  [true, 'writing blob: blob upload unknown: there is no such upload'],
  [false, 'writing manifest: denied: the quota of the project is used up'],
  [false, 'authentication required'],
  [false, 'manifest invalid: the manifest has no media type'],
  [false, ''],
] as const;

test.each(IS_AWAY)('%s, the registry is away: %s', (isAway, lastLine) => {
  const failure = pushFailure(lastLine);
  expect([failure instanceof RegistryAwayError, failure.code]).toEqual([isAway, 'push-failed']);
  expect(failure.message).toBe(`The image could not be pushed: ${lastLine}`);
});

/** A push that has these outcomes one after the other; a text is its result. */
async function pushes(
  outcomes: readonly (Error | string)[],
  { waitMs = 60_000, signal = new AbortController().signal } = {},
): Promise<unknown> {
  const left = [...outcomes];
  const lines: string[] = [];
  const push = async (): Promise<string> => {
    const outcome = left.shift()!;
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const onLine = (line: string): number => lines.push(line);
  const result = await whenRegistryAnswers(push, { signal, onLine, waitMs, pauseMs: 1 }).catch(
    (error: Error) => error.message,
  );
  return { result, lines, left: left.length };
}

test('a push is done again while the registry is away, and only then', async () => {
  const away = new RegistryAwayError('away');
  const refused = new BuildFailure('push-failed', 'refused');
  const again = 'away; trying again';
  expect(await pushes([away, away, 'pushed'])).toEqual({ result: 'pushed', lines: [again, again], left: 0 });
  expect(await pushes([away, refused, 'pushed'])).toEqual({ result: 'refused', lines: [again], left: 1 });
  expect(await pushes([away, 'pushed'], { waitMs: 0 })).toEqual({ result: 'away', lines: [], left: 1 });
  const signal = AbortSignal.abort(new Error('cancelled'));
  expect(await pushes([away, 'pushed'], { signal })).toEqual({ result: 'cancelled', lines: [], left: 1 });
});
