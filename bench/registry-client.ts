import { createHash, randomBytes, randomFillSync } from 'node:crypto';
import { percentile } from './benchmark.ts';
import { WireConnection } from './wire-connection.ts';

/** Who is measured, and as whom. */
export interface RegistryTarget {
  host: string;
  port: number;
  /** Value of the Authorization header; null: none is asked for. */
  authorization: string | null;
}

export type RegistryQuestion = { target: RegistryTarget } & (
  | { kind: 'reads'; method: 'GET' | 'HEAD'; path: string; connections: number; seconds: number }
  | { kind: 'small-pushes'; image: string; bytes: number; connections: number; seconds: number }
  | { kind: 'push'; image: string; bytes: number }
  | { kind: 'cut-push'; image: string; bytes: number; cuts: number }
  | { kind: 'pull'; path: string; connections: number }
);

export interface RegistryAnswer {
  /** Requests, or pushed blobs. */
  count: number;
  bytes: number;
  seconds: number;
  /** Of single ones, in milliseconds. */
  p99: number;
  /** Of what was pushed last. */
  digest: string;
}

/** A child process: a client that costs as little as can be, so that two cores measure the registry. */
async function answer(question: RegistryQuestion): Promise<RegistryAnswer> {
  switch (question.kind) {
    case 'reads':
      return await repeated(question, async (connection) => {
        const { status } = await connection.request(question.method, question.path, question.target);
        if (status !== 200) throw new Error(`${question.method} ${question.path}: ${status}`);
        return '';
      });
    case 'small-pushes':
      return await repeated(question, (connection) =>
        pushBlob(connection, question, [randomBytes(question.bytes)]),
      );
    case 'push':
      return await pushOnce(question);
    case 'cut-push':
      return await pushOverCutConnections(question);
    case 'pull':
      return await pullAll(question);
  }
}

async function repeated(
  { target, connections, seconds }: { target: RegistryTarget; connections: number; seconds: number },
  once: (connection: WireConnection) => Promise<string>,
): Promise<RegistryAnswer> {
  const all = await connect(target, connections);
  const times: number[] = [];
  let digest = '';
  const start = performance.now();
  const end = start + seconds * 1000;
  await Promise.all(
    all.map(async (connection) => {
      for (let began = performance.now(); began < end; began = performance.now()) {
        digest = await once(connection);
        times.push(performance.now() - began);
      }
    }),
  );
  const elapsed = (performance.now() - start) / 1000;
  for (const connection of all) connection.close();
  return { count: times.length, bytes: 0, seconds: elapsed, p99: percentile(times, 99), digest };
}

const PIECE = 1024 * 1024;
const base = randomBytes(64 * PIECE);

/** Bytes that no registry has seen; hashed before the clock runs. */
async function pushOnce(question: RegistryQuestion & { kind: 'push' }): Promise<RegistryAnswer> {
  const pieces = newPieces(question.bytes);
  const digest = digestOf(pieces);
  const [connection] = await connect(question.target, 1);
  const start = performance.now();
  await pushBlob(connection!, question, pieces, digest);
  const seconds = (performance.now() - start) / 1000;
  connection!.close();
  return { count: 1, bytes: question.bytes, seconds, p99: seconds * 1000, digest };
}

function newPieces(bytes: number): Buffer[] {
  randomFillSync(base, 0, 4096);
  return Array.from({ length: bytes / PIECE }, (_, index) => {
    const offset = (index % 64) * PIECE;
    return base.subarray(offset, offset + PIECE);
  });
}

/**
 * Chunks whose connection breaks in the middle: each time the client asks how much has come, at the only location that it
 * knows, and goes on from there. The registry takes the blob only if all of it arrived.
 */
async function pushOverCutConnections({
  target,
  image,
  bytes,
  cuts,
}: RegistryQuestion & { kind: 'cut-push' }): Promise<RegistryAnswer> {
  const pieces = newPieces(bytes);
  const digest = digestOf(pieces);
  const start = performance.now();
  let connection = await WireConnection.open(target);
  const begun = await connection.request('POST', `/v2/${image}/blobs/uploads/`, target);
  requireStatus(begun, 202);
  const path = pathOf(begun.location!);
  for (let cut = 1, received = 0; received < bytes; cut += 1) {
    const left = behind(pieces, received);
    if (cut <= cuts) {
      const until = Math.floor((bytes * cut) / (cuts + 1)) + 12_345;
      await connection.breakOff('PATCH', path, target, left, until - received, received);
      connection = await WireConnection.open(target);
    } else {
      const answer = await connection.request('PATCH', path, target, left, received);
      if (answer.status !== 416) requireStatus(answer, 202);
    }
    const progress = await connection.request('GET', path, target);
    requireStatus(progress, 204);
    received = progress.received;
  }
  requireStatus(await connection.request('PUT', `${path}?digest=${encodeURIComponent(digest)}`, target), 201);
  const seconds = (performance.now() - start) / 1000;
  connection.close();
  return { count: 1, bytes, seconds, p99: seconds * 1000, digest };
}

function behind(pieces: readonly Buffer[], bytes: number): Buffer[] {
  const left = pieces.slice(Math.floor(bytes / PIECE));
  if (left.length > 0) left[0] = left[0]!.subarray(bytes % PIECE);
  return left;
}

/** As docker does it: POST, the bytes in one PATCH, PUT with the digest. Small ones go with the PUT. */
async function pushBlob(
  connection: WireConnection,
  { target, image }: { target: RegistryTarget; image: string },
  pieces: readonly Buffer[],
  digest = digestOf(pieces),
): Promise<string> {
  const begun = await connection.request('POST', `/v2/${image}/blobs/uploads/`, target);
  requireStatus(begun, 202);
  let location = begun.location!;
  if (pieces.length > 1) {
    const patched = await connection.request('PATCH', pathOf(location), target, pieces);
    requireStatus(patched, 202);
    location = patched.location!;
  }
  const url = `${pathOf(location)}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
  requireStatus(await connection.request('PUT', url, target, pieces.length > 1 ? [] : pieces), 201);
  return digest;
}

async function pullAll({
  target,
  path,
  connections,
}: RegistryQuestion & { kind: 'pull' }): Promise<RegistryAnswer> {
  const all = await connect(target, connections);
  const times: number[] = [];
  let bytes = 0;
  const start = performance.now();
  await Promise.all(
    all.map(async (connection) => {
      const read = await connection.request('GET', path, target);
      requireStatus(read, 200);
      bytes += read.bytes;
      times.push(performance.now() - start);
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  for (const connection of all) connection.close();
  return { count: all.length, bytes, seconds, p99: percentile(times, 99), digest: '' };
}

async function connect(target: RegistryTarget, count: number): Promise<WireConnection[]> {
  return await Promise.all(Array.from({ length: count }, () => WireConnection.open(target)));
}

function digestOf(pieces: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}

function requireStatus({ status }: { status: number }, expected: number): void {
  if (status !== expected) throw new Error(`expected ${expected}, got ${status}`);
}

/** One registry answers with whole URLs, the other one with paths. */
function pathOf(location: string): string {
  return location.replace(/^https?:\/\/[^/]+/, '');
}

if (process.send && import.meta.main) {
  process.on('message', async (question: RegistryQuestion) => process.send!(await answer(question)));
  process.on('disconnect', () => process.exit());
  process.send({});
}
