import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Files of a benchmark: reproducible bytes with sizes like those of npm packages. */
export interface BenchFile {
  path: string;
  size: number;
  sha512: string;
}

/**
 * A child process: serves so many files, each answer after so many milliseconds, and tells its port and the files.
 * Arguments: number of files, latency.
 */
function serve(count: number, latency: number): void {
  const files = new Map<string, Buffer>();
  const listing: BenchFile[] = [];
  for (let index = 0; index < count; index += 1) {
    const content = contentOf(index);
    const path = `/package-${index}/-/package-${index}-1.0.0.tgz`;
    files.set(path, content);
    listing.push({ path, size: content.length, sha512: createHash('sha512').update(content).digest('hex') });
  }
  const server = createServer((request, response) => {
    const content = files.get(request.url!);
    const answer = (): void => {
      if (content) response.writeHead(200, { 'content-length': content.length }).end(content);
      else response.writeHead(404).end();
    };
    if (latency > 0) setTimeout(answer, latency);
    else answer();
  });
  server.listen(0, '127.0.0.1', () => {
    process.send!({ port: (server.address() as AddressInfo).port, files: listing });
  });
  process.on('disconnect', () => process.exit());
}

/** Most are some kilobytes, some are large: 50 kB on average, as in the lock file of a web application. */
function contentOf(index: number): Buffer {
  const spread = (Math.imul(index, 2_654_435_761) >>> 0) / 2 ** 32;
  const size = Math.round(800 + 24_000 * spread + 900_000 * spread ** 24);
  const content = Buffer.alloc(size);
  let state = index + 1;
  for (let offset = 0; offset + 4 <= size; offset += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    content.writeUInt32LE(state, offset);
  }
  return content;
}

if (process.send) serve(Number(process.argv[2]), Number(process.argv[3]));
