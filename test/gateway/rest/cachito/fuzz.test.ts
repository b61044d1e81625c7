import { request as httpRequest } from 'node:http';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  OPENAPI_DOCUMENT,
  type OpenapiOperation,
  type OpenapiParameter,
  type Referable,
} from '../../../../src/gateway/rest/cachito/openapi-document.ts';
import { BEGUN, storeRequest } from '../../../support/cachito-requests.ts';
import { TestGateway } from '../../../support/gateway.ts';
import { Dice, HOSTILE_TEXTS, Values } from '../../../support/openapi-fuzz.ts';

const { paths, components } = OPENAPI_DOCUMENT;
const CALLS_OF_EACH = 60;
const METHODS = ['get', 'post', 'patch'] as const;

interface Described {
  name: string;
  path: string;
  method: (typeof METHODS)[number];
  operation: OpenapiOperation;
  parameters: OpenapiParameter[];
}

const DESCRIBED: Described[] = Object.entries(paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method]).map((method) => {
    const operation = item[method]!;
    const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolved);
    return { name: `${method.toUpperCase()} ${path}`, path, method, operation, parameters };
  }),
);

function resolved<T extends object>(referable: Referable<T>): T {
  if (!('$ref' in referable)) return referable;
  const [kind, name] = (referable.$ref as string).split('/').slice(-2);
  return (components as unknown as Record<string, Record<string, T>>)[kind!]![name!]!;
}

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start({ environment: { STOWAGE_WORKER_USERNAMES: 'ada' } });
  const { sql } = gateway.stack.database;
  for (let count = 0; count < 3; count++) {
    await storeRequest(sql, { packages: [] });
    await storeRequest(sql, { states: [BEGUN] });
  }
});
afterAll(async () => {
  await gateway?.close();
});

interface Call {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer | null;
}

interface Answer {
  status: number;
  type: string | undefined;
  text: string;
}

/** As it is: `fetch` would repair paths. */
function send({ method, path, headers, body }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(gateway.url);
    const client = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          type: response.headers['content-type'],
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    client.on('error', reject);
    client.end(body ?? undefined);
  });
}

function callOf({ path, method, operation, parameters }: Described, dice: Dice, hostility: number): Call {
  const values = new Values(dice, components.schemas, hostility);
  const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const query: string[] = [];
  let target = path;
  for (const { name, in: place, schema, required } of parameters) {
    const value = values.of(schema);
    if (place === 'path') {
      const id = dice.is(hostility) ? dice.of(HOSTILE_TEXTS) : String(dice.of([1, 2, 3, 4, 5, 6, 99]));
      target = target.replace(`{${name}}`, encoded(id, dice));
    } else if (required ? !dice.is(hostility) : dice.is(0.4)) {
      for (const one of Array.isArray(value) ? value : [value])
        query.push(`${name}=${encoded(textOf(one), dice)}`);
    }
  }
  if (dice.is(hostility))
    query.push(`${encoded(dice.of(HOSTILE_TEXTS), dice)}=${encoded(dice.of(HOSTILE_TEXTS), dice)}`);
  const schema = operation.requestBody?.content['application/json']?.schema;
  return {
    method: method.toUpperCase(),
    path: `/api/v1${target}${query.length > 0 ? `?${query.join('&')}` : ''}`,
    headers: {
      ...gateway.headers('ada'),
      'content-type': dice.is(hostility / 2) ? 'text/plain' : 'application/json',
    },
    body: schema ? bodyOf(values.of(schema), dice, hostility) : null,
  };
}

function bodyOf(value: unknown, dice: Dice, hostility: number): Buffer {
  const whole = Buffer.from(JSON.stringify(value));
  return dice.is(hostility / 3) ? whole.subarray(0, dice.below(whole.length + 1)) : whole;
}

/** Mostly as it should be; sometimes with bytes that are no text. */
function encoded(text: string, dice: Dice): string {
  return `${encodeURIComponent(text.toWellFormed())}${dice.is(0.03) ? dice.of(['%', '%zz', '%ff', '%ED%A0%80', '%00']) : ''}`;
}

const ajv = addFormats.default(new Ajv2020({ strict: false }));
ajv.addSchema({ $id: 'openapi', ...OPENAPI_DOCUMENT });

function mistakesOf(described: Described, { status, type, text }: Answer): unknown[] {
  const response = described.operation.responses[status];
  // What no handler sees: paths that are none, e.g. of an empty or broken number.
  if (response === undefined && (status === 404 || status === 400 || status === 405)) {
    return /^\{"error":"[^\n]+"\}\n$/.test(text) ? [] : [text];
  }
  if (response === undefined) return [`status ${status} is not described`];
  if (type !== 'application/json') return [];
  const escaped = described.path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D');
  const pointer =
    '$ref' in response ? response.$ref : `#/paths/${escaped}/${described.method}/responses/${status}`;
  const check = ajv.compile({ $ref: `openapi${pointer}/content/application~1json/schema` });
  return check(JSON.parse(text)) ? [] : (check.errors ?? []);
}

test.each(DESCRIBED)('$name: whatever is sent, the answer is as described', async (described) => {
  for (let seed = 1; seed <= CALLS_OF_EACH; seed++) {
    const dice = new Dice(seed);
    const call = callOf(described, dice, dice.of([0, 0.05, 0.3]));
    const answer = await send(call);
    const mistakes = mistakesOf(described, answer);
    const isDefect = answer.status >= 500 && described.path !== '/status/short' && answer.status !== 501;
    if (isDefect && !isExpected(described, answer)) mistakes.push(`status ${answer.status}`);
    expect({ seed, call, answer, mistakes }).toMatchObject({ mistakes: [] });
  }
});

/** The fixtures' archives name a bundle that is not in the store. */
function isExpected({ path }: Described, { status }: Answer): boolean {
  return status === 500 && (path.endsWith('/download') || path === '/requests/{id}/sbom');
}

test.each(['PUT', 'DELETE', 'POST', 'PATCH', 'TRACE'])('%s where it is not served: 405', async (method) => {
  const others = Object.keys(paths).filter((path) => !paths[path]![method.toLowerCase()]);
  for (const path of others) {
    const call = { method, path: `/api/v1${path.replace('{id}', '1')}`, headers: {}, body: null };
    expect([path, await send(call)]).toMatchObject([
      path,
      { status: 405, text: '{"error":"The method is not allowed for the requested URL."}\n' },
    ]);
  }
});
