import type { Readable } from 'node:stream';

/** Bytes of one line that are passed on. */
export const MOST_LINE_BYTES = 16 * 1024;
const CUT = ' […line cut]';

/**
 * Passes on what a stream says line by line, no faster than it is taken. Lines are text without control characters;
 * of one that is too long, the end is left out. Holds one chunk of the stream at most, besides the line that it is in.
 */
export async function passOnLines(
  stream: Readable,
  onLine: (line: string) => Promise<void> | null,
): Promise<void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  const keep = (part: Buffer): void => {
    const room = MOST_LINE_BYTES + 1 - pendingBytes;
    if (room <= 0) return;
    // A copy: a few bytes would else keep their whole chunk.
    const kept = Buffer.from(part.subarray(0, room));
    pending.push(kept);
    pendingBytes += kept.length;
  };
  const take = (): string => {
    const line = readable(Buffer.concat(pending));
    pending = [];
    pendingBytes = 0;
    return line;
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      let line: string;
      if (pendingBytes === 0)
        line = readable(chunk.subarray(start, Math.min(end, start + MOST_LINE_BYTES + 1)));
      else {
        keep(chunk.subarray(start, end));
        line = take();
      }
      start = end + 1;
      const full = onLine(line);
      if (full) await full;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  if (pendingBytes > 0) await onLine(take());
}

const NEWLINE = 0x0a;

function readable(bytes: Buffer): string {
  if (bytes.length <= MOST_LINE_BYTES) return clean(bytes.toString('utf8'));
  return clean(bytes.toString('utf8', 0, MOST_LINE_BYTES)) + CUT;
}

function clean(text: string): string {
  if (!UNSAFE.test(text)) return text;
  const shown = text.endsWith('\r') ? text.slice(0, -1) : text;
  // Progress bars overwrite their line: the last state is what one would see.
  const last = shown.slice(shown.lastIndexOf('\r') + 1);
  return last.replaceAll(ESCAPE_SEQUENCES, '').replaceAll(CONTROLS, '\u{fffd}');
}

const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/;
const ESCAPE_SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;
