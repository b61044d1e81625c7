import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import busboy from 'busboy';
import { DomainError } from '../../../domain/errors.ts';

/** What an upload said, when all of it was read; null: the part was not there. */
export interface VersionForm<Stored> {
  version: string | null;
  source: Stored | DomainError | null;
}

/** What is the client's fault in the form as a whole. */
export class MalformedFormError extends Error {}

/** The rest was not read. */
export class FormTooLargeError extends MalformedFormError {}

/** Stores the bytes of a part; null: nothing is worth storing, the request is refused anyway. */
export type StoreSource<Stored> = ((name: string, open: () => Readable) => Promise<Stored>) | null;

const LONGEST_FIELD = 1024;
const MOST_PARTS = 100;

/**
 * Reads a `multipart/form-data` body to its end, whatever it holds and in whatever order: clients hear of a refusal only
 * when they have sent everything (fandogh.md 0.1). Throws MalformedFormError, also after more than `mostBytes`.
 */
export async function readVersionForm<Stored>(
  request: IncomingMessage,
  store: StoreSource<Stored>,
  mostBytes: number,
): Promise<VersionForm<Stored>> {
  const form: VersionForm<Stored> = { version: null, source: null };
  let storing = null as Promise<Stored | DomainError> | null;
  const parser = parserOf(request);
  parser?.on('field', (name, value) => {
    if (name === 'version') form.version ??= value;
  });
  parser?.on('file', (name, file, { filename }) => {
    // That the form broke off is told by the form, also where nobody reads the file.
    file.on('error', () => undefined);
    if (name !== 'source' || storing !== null || store === null) {
      file.resume();
      return;
    }
    storing = storeFile(file, (open) => store(filename ?? '', open)).catch((error: unknown) => {
      if (error instanceof DomainError) return error;
      throw error;
    });
    // Waited for below, also when the form turns out to be broken.
    storing.catch(() => undefined);
  });
  let hasTooManyParts = false;
  parser?.on('partsLimit', () => {
    hasTooManyParts = true;
  });
  const failure =
    (await readThrough(request, parser, mostBytes)) ??
    (hasTooManyParts ? new MalformedFormError(`The form has more than ${MOST_PARTS} parts`) : null);
  if (failure) {
    await storing?.catch(() => undefined);
    throw failure;
  }
  form.source = await storing;
  return form;
}

/** null: the body is no form. */
function parserOf({ headers }: IncomingMessage): busboy.Busboy | null {
  try {
    const limits = { fieldSize: LONGEST_FIELD, parts: MOST_PARTS };
    return busboy({ headers, limits, defParamCharset: 'utf8' });
  } catch {
    return null;
  }
}

async function readThrough(
  request: IncomingMessage,
  parser: busboy.Busboy | null,
  mostBytes: number,
): Promise<MalformedFormError | null> {
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw new FormTooLargeError(`The body has more than ${mostBytes} bytes`);
      yield chunk;
    }
  };
  const body = (): AsyncGenerator<Buffer> => counted(request.iterator({ destroyOnReturn: false }));
  try {
    if (parser) await pipeline(body(), parser);
    else for await (const _chunk of body());
    return parser ? null : new MalformedFormError('The body must be multipart/form-data');
  } catch (error) {
    if (error instanceof MalformedFormError) return error;
    const reason = new MalformedFormError(`The form cannot be read: ${(error as Error).message}`);
    return (await readRest(body)) ?? reason;
  }
}

/** What is behind a mistake of the form. */
async function readRest(body: () => AsyncGenerator<Buffer>): Promise<MalformedFormError | null> {
  try {
    for await (const _chunk of body());
    return null;
  } catch (error) {
    // A request that broke off has nobody who hears of it.
    return error instanceof MalformedFormError ? error : null;
  }
}

/** The part is read to its end also when nobody wants the rest of it. */
async function storeFile<Stored>(
  file: Readable,
  store: (open: () => Readable) => Promise<Stored>,
): Promise<Stored> {
  const content = new PassThrough();
  // The form may break off before the store reads: it is told then, and until then nobody listens.
  content.on('error', () => undefined);
  file.once('error', (error) => content.destroy(error));
  content.once('close', () => {
    file.unpipe(content);
    file.resume();
  });
  try {
    return await store(() => file.pipe(content));
  } finally {
    content.destroy();
  }
}
