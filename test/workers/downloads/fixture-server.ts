import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface FixtureServer {
  origin: string;
  port: number;
  /** Requests so far. */
  requests: IncomingMessage[];
  /** Most requests that were being answered at one time. */
  mostInFlight(): number;
}

export type Answer = (response: ServerResponse, request: IncomingMessage, hit: number) => void;

/** A server on loopback that answers each path by its function; `hit` counts the requests for a path from 1. */
export async function fixtureServer(
  answers: Record<string, Answer> | Answer,
  options: { tls?: boolean } = {},
): Promise<FixtureServer> {
  const requests: IncomingMessage[] = [];
  const hits = new Map<string, number>();
  let inFlight = 0;
  let most = 0;
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    inFlight += 1;
    most = Math.max(most, inFlight);
    response.on('close', () => {
      inFlight -= 1;
    });
    const path = request.url!.split('?')[0]!;
    const hit = (hits.get(path) ?? 0) + 1;
    hits.set(path, hit);
    const answer = typeof answers === 'function' ? answers : answers[path];
    if (answer) answer(response, request, hit);
    else response.writeHead(404).end('not here');
  };
  const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'fixtures', name));
  const server = options.tls
    ? createTlsServer({ key: fixture('server.key'), cert: fixture('server.crt') }, listener)
    : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  return { origin, port, requests, mostInFlight: () => most };
}

/** Sends the beginning of a body and cuts the connection. */
export function cutAfter(
  response: ServerResponse,
  part: Buffer,
  headers: Record<string, string | number>,
): void {
  response.writeHead(200, headers);
  response.write(part, () => response.destroy());
}
