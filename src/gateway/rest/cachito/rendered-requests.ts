import type { Database } from '../../../domain/database/database.ts';
import { REQUEST_DETAILS, REQUEST_SUMMARIES, type RequestVersion } from './operations/requests.ts';
import type { CachitoCall } from './route.ts';
import { shortRequest, verboseRequest } from './shapes/request.ts';
import { sortedJson } from './sorted-json.ts';

export type RequestForm = 'short' | 'verbose';

/** For all requests together. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The JSON of requests, rendered once for each version: clients poll, and lists show what single reads showed. Whoever
 * asks has read the version just now, under its own permissions, so nothing old is shown and nothing to the wrong one.
 */
export class RenderedRequests {
  /** The longest unused first. */
  readonly #kept = new Map<string, Buffer>();
  readonly #mostBytes: number;
  #bytes = 0;

  /** A body that takes more than a tenth of the bytes is not kept. */
  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** In the order of the rows; a request that has vanished meanwhile is left out. */
  async of(call: CachitoCall, form: RequestForm, rows: readonly RequestVersion[]): Promise<Buffer[]> {
    const known = rows.map((row) => this.#take(keyOf(call, form, row)));
    const missing = rows.filter((_, at) => known[at] === undefined);
    if (missing.length === 0) return known as Buffer[];
    const rendered = new Map<number, Buffer>();
    for (const [row, json] of await render(
      call,
      form,
      missing.map(({ number }) => number),
    )) {
      rendered.set(row.number, json);
      this.#keep(keyOf(call, form, row), json);
    }
    return rows
      .map(({ number }, at) => known[at] ?? rendered.get(number))
      .filter((json) => json !== undefined);
  }

  #take(key: string): Buffer | undefined {
    const json = this.#kept.get(key);
    if (json === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, json);
    return json;
  }

  #keep(key: string, json: Buffer): void {
    if (json.length > this.#mostBytes / 10) return;
    this.#drop(key);
    this.#kept.set(key, json);
    this.#bytes += sizeOf(key, json);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const json = this.#kept.get(key);
    if (json === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= sizeOf(key, json);
  }
}

const ofDatabases = new WeakMap<Database, RenderedRequests>();

export function renderedRequests({ database }: CachitoCall): RenderedRequests {
  let rendered = ofDatabases.get(database);
  if (!rendered) {
    rendered = new RenderedRequests();
    ofDatabases.set(database, rendered);
  }
  return rendered;
}

async function render(
  call: CachitoCall,
  form: RequestForm,
  numbers: number[],
): Promise<[RequestVersion, Buffer][]> {
  if (form === 'short') {
    const { bundleRequestsByNumber } = await call.run(REQUEST_SUMMARIES, { numbers });
    return bundleRequestsByNumber.map((row) => [row, bytesOf(shortRequest(row))]);
  }
  const { bundleRequestsByNumber } = await call.run(REQUEST_DETAILS, { numbers });
  return bundleRequestsByNumber.map((row) => [row, bytesOf(verboseRequest(row, call.baseUrl))]);
}

function bytesOf(value: object): Buffer {
  return Buffer.from(sortedJson(value));
}

/** Links in it begin with the base URL. */
function keyOf({ baseUrl }: CachitoCall, form: RequestForm, { number, version }: RequestVersion): string {
  return `${form} ${number} ${version} ${baseUrl}`;
}

/** With what a map needs for an entry, roughly. */
function sizeOf(key: string, json: Buffer): number {
  return 2 * key.length + json.length + 200;
}
