/** One message of a `text/event-stream` (HTML living standard, section 9.2). */
export interface EventStreamMessage {
  event: string;
  data: string;
}

/** A single message is JSON of one event: more is a broken or hostile server. */
const LONGEST_MESSAGE = 16 * 1024 * 1024;

/** Reads messages as they arrive, whatever the chunks are. Ends when the stream ends. */
export async function* readEventStream(body: AsyncIterable<Uint8Array>): AsyncGenerator<EventStreamMessage> {
  const decoder = new TextDecoder();
  let rest = '';
  let event = '';
  let data: string[] = [];
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    // A \r at the end may be half of \r\n.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    if (rest.length > LONGEST_MESSAGE) throw new Error('a message of the event stream is too long');
    for (const line of lines) {
      if (line === '') {
        if (event !== '' || data.length > 0) yield { event: event || 'message', data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const { field, value } = fieldOf(line);
      if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
  }
}

/** A line that begins with a colon is a comment: its field is empty. */
function fieldOf(line: string): { field: string; value: string } {
  const colon = line.indexOf(':');
  if (colon < 0) return { field: line, value: '' };
  const value = line.slice(colon + 1);
  return { field: line.slice(0, colon), value: value.startsWith(' ') ? value.slice(1) : value };
}
