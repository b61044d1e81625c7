import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { StowageClient } from '../../../src/cli/client/stowage-client.ts';

export interface FakeServer {
  url: string;
  client: StowageClient;
  requests: { url: string; headers: IncomingMessage['headers']; body: string }[];
}

/** A server on loopback that answers as the test says; ends with the test. */
export async function fakeServer(
  answer: (
    request: { url: string; headers: IncomingMessage['headers']; body: string },
    response: ServerResponse,
  ) => void,
): Promise<FakeServer> {
  const requests: FakeServer['requests'] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const request = {
      url: incoming.url ?? '',
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString('latin1'),
    };
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, client: new StowageClient({ url: `${url}/`, token: 'stw_secret' }), requests };
}

export function json(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** Messages of one subscription connection; `complete` or a cut at the end. */
export function eventStream(
  response: ServerResponse,
  data: readonly object[],
  end: 'complete' | 'cut',
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const one of data) response.write(`event: next\ndata: ${JSON.stringify({ data: one })}\n\n`);
  if (end === 'complete') response.end('event: complete\n\n');
  else response.end();
}
