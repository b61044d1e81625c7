import type { RegistryStack, User } from '../../../support/registry-stack.ts';

export interface BkrepoAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed envelope. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects.
  envelope: any;
}

export interface CallOptions {
  as?: User;
  headers?: Record<string, string>;
  body?: unknown;
}

/** A call as a client of bk-repo makes it. `path` goes out as it is. */
export async function bkrepoCall(
  stack: RegistryStack,
  method: string,
  path: string,
  { as = 'ada', headers = {}, body }: CallOptions = {},
): Promise<BkrepoAnswer> {
  const response = await fetch(`${stack.url}${path}`, {
    method,
    headers: {
      ...stack.authorization(as),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type') === 'application/json';
  return {
    status: response.status,
    headers: response.headers,
    text,
    envelope: isJson && text !== '' ? JSON.parse(text) : null,
  };
}

/** Status and data of a call that succeeds. */
export async function dataOf(...call: Parameters<typeof bkrepoCall>): Promise<unknown> {
  const { status, envelope } = await bkrepoCall(...call);
  if (status !== 200 || envelope.code !== 0) throw new Error(`${status} ${JSON.stringify(envelope)}`);
  return envelope.data;
}

/** Status, code and message of a call that fails. */
export async function failureOf(...call: Parameters<typeof bkrepoCall>): Promise<unknown[]> {
  const { status, envelope } = await bkrepoCall(...call);
  return [status, envelope.code, envelope.message];
}
