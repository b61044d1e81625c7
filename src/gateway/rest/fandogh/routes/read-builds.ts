import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type BuildWithLog, readBuildLog } from '../../../../domain/images/build-log.ts';
import { hasEnded } from '../../../../domain/images/image-build.ts';
import { logSliceOf, wantsAllBuilds } from '../parameters/query.ts';
import { requireAllBuilds, requireBuild } from '../published.ts';
import type { FandoghCall, FandoghRoute } from '../route.ts';
import { buildJson, type LogSlice } from '../shapes/builds.ts';

/** fandogh.md 1.9: one object, the newest build of the version, with the lines that the client does not have. */
export const readBuilds: FandoghRoute = {
  method: 'GET',
  path: '/images/:name/versions/:version/builds',
  async handle(call, request, reply) {
    const { isPolling, ...slice } = logSliceOf(request);
    if (wantsAllBuilds(request)) {
      const numbers = await requireAllBuilds(call, request);
      return await sendPieces(reply, allBuildsJson(call, numbers, slice.withTimestamp));
    }
    const number = await requireBuild(call, request);
    const build = await readWhenNew(call, number, isPolling ? slice.offset : null, request);
    return await sendPieces(reply, buildJson(build, slice));
  },
};

/** One client asks again at once, and none waits for longer than 3.5 s. */
const HOLD_MS = 1_000;
/** Lines are collected for so long; a change of the state is told at once. */
const LOOK_AGAIN_MS = 250;

/** Waits a little for who has seen all that there is; null: does not say what it has, and gets all at once. */
async function readWhenNew(
  { database, blobs, hub, principal }: FandoghCall,
  id: number,
  seenLines: number | null,
  request: FastifyRequest,
): Promise<BuildWithLog> {
  const until = Date.now() + HOLD_MS;
  const change = () => hub.woken(`image-build:${id}`, AbortSignal.timeout(LOOK_AGAIN_MS));
  let changed = change();
  const first = await readBuildLog({ database, blobs }, principal, id);
  let now = first;
  while (
    seenLines !== null &&
    now.totalLines <= seenLines &&
    !hasEnded(now.build) &&
    now.build.state === first.build.state &&
    Date.now() < until &&
    !request.raw.destroyed
  ) {
    await changed;
    changed = change();
    now = await readBuildLog({ database, blobs }, principal, id);
  }
  return now;
}

/** Oldest first, each with its whole log: the form of the seed. */
async function* allBuildsJson(
  { database, blobs, principal }: FandoghCall,
  numbers: readonly number[],
  withTimestamp: LogSlice['withTimestamp'],
): AsyncGenerator<string> {
  yield '[';
  let separator = '';
  for (const number of numbers) {
    yield separator;
    yield* buildJson(await readBuildLog({ database, blobs }, principal, number), {
      offset: 0,
      withTimestamp,
    });
    separator = ',';
  }
  yield ']';
}

/** Small answers in one piece, with their length; what does not fit as it is read. */
const WHOLE_CHARACTERS = 256 * 1024;

async function sendPieces(reply: FastifyReply, pieces: AsyncGenerator<string>): Promise<FastifyReply> {
  reply.code(200).header('content-type', 'application/json').header('cache-control', 'no-store');
  let whole = '';
  for (let next = await pieces.next(); ; next = await pieces.next()) {
    if (next.done) return reply.send(Buffer.from(whole));
    whole += next.value;
    if (whole.length > WHOLE_CHARACTERS) break;
  }
  return reply.send(Readable.from(withFirst(whole, pieces), { objectMode: false }));
}

async function* withFirst(first: string, rest: AsyncGenerator<string>): AsyncGenerator<Buffer> {
  yield Buffer.from(first);
  for await (const piece of rest) yield Buffer.from(piece);
}
