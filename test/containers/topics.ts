import type { Topic } from './subscriber.ts';

/** Everything one can follow of a job. Positions are those that resume; what is brought names each item once. */
export const requestEvents = (number: number): Topic<number> => events('bundleRequestEvents', number);
export const requestLog = (number: number): Topic<number> => logPages('bundleRequestLogPages', number);
export const buildEvents = (number: number): Topic<number> => events('imageBuildEvents', number);
export const buildLog = (number: number): Topic<number> => logPages('imageBuildLogPages', number);

/** Of all requests, in the order in which their transactions began. */
export const requestFeed: Topic<string> = {
  document: `subscription ($after: String!) {
    bundleRequestFeed(after: $after) { cursor number event { version } }
  }`,
  variables: {},
  cursor: ['after', '0.0'],
  read: ({ bundleRequestFeed }: { bundleRequestFeed: FeedItem }) => {
    const { cursor, number, event } = bundleRequestFeed;
    return { position: cursor, brings: [`${number}.${event.version}`] };
  },
};

interface FeedItem {
  cursor: string;
  number: number;
  event: { version: number };
}

function events(field: string, number: number): Topic<number> {
  return {
    document: `subscription ($number: Int!, $after: Int!) {
      ${field}(number: $number, afterVersion: $after) { version }
    }`,
    variables: { number },
    cursor: ['after', 0],
    read: (data: Record<string, { version: number }>) => {
      const { version } = data[field]!;
      return { position: version, brings: [String(version)] };
    },
  };
}

function logPages(field: string, number: number): Topic<number> {
  return {
    document: `subscription ($number: Int!, $after: Int!) {
      ${field}(number: $number, afterLine: $after) { lines { number } }
    }`,
    variables: { number },
    cursor: ['after', 0],
    read: (data: Record<string, { lines: { number: number }[] }>) => {
      const { lines } = data[field]!;
      return { position: lines.at(-1)!.number, brings: lines.map((line) => String(line.number)) };
    },
  };
}
