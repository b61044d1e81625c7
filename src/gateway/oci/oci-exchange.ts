import type { OutgoingHttpHeaders } from 'node:http';
import { finished } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { audited } from '../../domain/audit/audit-log.ts';
import type { RegistryPrincipal } from '../../domain/registry/access.ts';
import { type ImageName, parseImageName } from '../../domain/registry/image-name.ts';
import type { Registry } from '../../domain/registry/registry.ts';

/** On every answer (oci-registry.md 3). */
const VERSION = { 'docker-distribution-api-version': 'registry/2.0' };

/** Of answers about uploads: so much has come; `0-0` also where nothing has (oci-registry.md 4). */
export function rangeReceived(bytes: number): string {
  return `0-${Math.max(0, bytes - 1)}`;
}

/** One request and its answer, which goes past the framework: bytes are streams, and HEAD tells the length of a GET. */
export class OciExchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly registry: Registry;
  readonly principal: RegistryPrincipal;
  /** What comes before `/v2` in the path that the client used. */
  readonly prefix: string;
  readonly query: URLSearchParams;
  /** When the request came, on the clock of `performance`. */
  readonly arrivedAt: number;

  constructor(parts: {
    request: FastifyRequest;
    reply: FastifyReply;
    registry: Registry;
    principal: RegistryPrincipal;
    prefix: string;
    query: URLSearchParams;
    arrivedAt: number;
  }) {
    this.request = parts.request;
    this.reply = parts.reply;
    this.registry = parts.registry;
    this.principal = parts.principal;
    this.prefix = parts.prefix;
    this.query = parts.query;
    this.arrivedAt = parts.arrivedAt;
  }

  /** Throws `name-invalid`. */
  image(name: string): ImageName {
    return parseImageName(name, this.registry.settings);
  }

  /** Relative: no proxy can make it wrong. */
  path(image: ImageName, rest: string): string {
    return `${this.prefix}/v2/${image.asWritten}/${rest}`;
  }

  /** Does something that belongs in the audit log. */
  async audited<T>(action: string, details: object, work: () => Promise<T>): Promise<T> {
    const { registry, principal, request } = this;
    return await audited(registry.database, principal, { action, details, address: request.ip }, work);
  }

  send(status: number, headers: OutgoingHttpHeaders, body: Buffer | null = null): void {
    sendOci(this.reply, status, headers, body);
  }

  sendJson(status: number, value: unknown, headers: OutgoingHttpHeaders = {}): void {
    this.send(status, { 'content-type': 'application/json', ...headers }, Buffer.from(JSON.stringify(value)));
  }
}

/** `body` null: none, and a Content-Length of 0 unless the headers have one. */
export function sendOci(
  reply: FastifyReply,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Buffer | null = null,
): void {
  const raw = takeRaw(reply, status, { 'content-length': body?.length ?? 0, ...headers });
  const content = reply.request.method === 'HEAD' ? null : body;
  if (raw.shouldKeepAlive || reply.request.raw.complete) raw.end(content);
  else endAfterRequest(reply, content);
}

/**
 * A connection that is to be closed, as proxies often want it, while its client still sends: closed at once it would be
 * reset, and the answer lost with it. What comes is read for a while, and thrown away.
 */
function endAfterRequest({ raw, request }: FastifyReply, content: Buffer | null): void {
  if (content === null) raw.flushHeaders();
  else raw.write(content);
  const deadline = setTimeout(() => raw.end(), LINGER_MS);
  finished(request.raw, () => {
    clearTimeout(deadline);
    raw.end();
  });
  request.raw.resume();
}

const LINGER_MS = 10_000;

/** From here on the framework sends nothing. */
export function takeRaw(reply: FastifyReply, status: number, headers: OutgoingHttpHeaders) {
  reply.hijack();
  // No Content-Length belongs to these.
  const { 'content-length': length, ...others } = headers;
  const isWithout = status === 204 || status === 304;
  return reply.raw.writeHead(status, {
    ...VERSION,
    ...others,
    ...(!isWithout && length !== undefined && { 'content-length': length }),
  });
}
