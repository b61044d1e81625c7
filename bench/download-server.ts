import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Files of a benchmark: reproducible bytes, offered as an npm registry offers tarballs. */
interface BenchFile {
  name: string;
  version: string;
  path: string;
  size: number;
  sha512: string;
}

/** What the process says when it is ready. */
export interface DownloadServer {
  origin: string;
  files: BenchFile[];
}

/** Bytes that no compression makes smaller; files are made of a head of their own and a piece of these. */
const NOISE = noise(16 * 1024 * 1024);

/**
 * A child process: serves so many files, each answer after so many milliseconds, and tells its origin and the files.
 * Arguments: number of files, latency, and the size of all files in bytes if it is not to be that of packages.
 */
function serve(count: number, latency: number, size: number | null): void {
  const files = new Map<string, Buffer[]>();
  const listing: BenchFile[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = `package-${index}`;
    const path = `/${name}/-/${name}-1.0.0.tgz`;
    const parts = partsOf(name, size ?? packageSize(index));
    const hash = createHash('sha512');
    for (const part of parts) hash.update(part);
    files.set(path, parts);
    listing.push({ name, version: '1.0.0', path, size: sizeOf(parts), sha512: hash.digest('hex') });
  }
  const server = createServer((request, response) => {
    const parts = files.get(request.url!);
    const answer = (): void => {
      if (!parts) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-length': sizeOf(parts) });
      for (const part of parts.slice(0, -1)) response.write(part);
      response.end(parts.at(-1));
    };
    if (latency > 0) setTimeout(answer, latency);
    else answer();
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    const ready: DownloadServer = { origin: `http://127.0.0.1:${port}`, files: listing };
    process.send!(ready);
  });
  process.on('disconnect', () => process.exit());
}

/** As in the lock file of a web application: half of them below 8 KiB, some hundreds of KiB, few MiB; 22 KiB on average. */
function packageSize(index: number): number {
  const place = Math.min((index * 0.618_033_988_749_895 + 0.5) % 1, 0.9998);
  return Math.round(200 + 8_192 * (place / (1 - place)) ** 0.7);
}

/** Small files are one piece, so that an answer is one packet; large ones share the noise. */
function partsOf(name: string, size: number): Buffer[] {
  const head = createHash('sha512').update(name).digest();
  if (size <= NOISE.length / 4) return [Buffer.concat([head, NOISE.subarray(0, size)])];
  const parts: Buffer[] = [head];
  for (let left = size; left > 0; left -= NOISE.length)
    parts.push(NOISE.subarray(0, Math.min(left, NOISE.length)));
  return parts;
}

function sizeOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = 1;
  for (let offset = 0; offset < size; offset += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, offset);
  }
  return bytes;
}

const [, , count, latency, size] = process.argv;
if (process.send && import.meta.main) serve(Number(count), Number(latency), size ? Number(size) : null);
