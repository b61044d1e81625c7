import type { Topic } from './subscriber.ts';

/** Everything one can follow of a job. Positions are those that resume; what is brought names each item once. */
interface Event {
  version: number;
}

interface Page {
  lines: { number: number }[];
}

export function requestEvents(number: number): Topic<number> {
  return {
    document: `subscription ($number: Int!, $after: Int!) {
      bundleRequestEvents(number: $number, afterVersion: $after) { version }
    }`,
    variables: { number },
    cursor: ['after', 0],
    read: ({ bundleRequestEvents: { version } }: { bundleRequestEvents: Event }) => ({
      position: version,
      brings: [String(version)],
    }),
  };
}

export function requestLog(number: number): Topic<number> {
  return {
    document: `subscription ($number: Int!, $after: Int!) {
      bundleRequestLogPages(number: $number, afterLine: $after) { lines { number } }
    }`,
    variables: { number },
    cursor: ['after', 0],
    read: ({ bundleRequestLogPages }: { bundleRequestLogPages: Page }) => linesOf(bundleRequestLogPages),
  };
}

export function buildEvents(number: number): Topic<number> {
  return {
    document: `subscription ($number: Int!, $after: Int!) {
      imageBuildEvents(number: $number, afterVersion: $after) { version }
    }`,
    variables: { number },
    cursor: ['after', 0],
    read: ({ imageBuildEvents: { version } }: { imageBuildEvents: Event }) => ({
      position: version,
      brings: [String(version)],
    }),
  };
}

export function buildLog(number: number): Topic<number> {
  return {
    document: `subscription ($number: Int!, $after: Int!) {
      imageBuildLogPages(number: $number, afterLine: $after) { lines { number } }
    }`,
    variables: { number },
    cursor: ['after', 0],
    read: ({ imageBuildLogPages }: { imageBuildLogPages: Page }) => linesOf(imageBuildLogPages),
  };
}

function linesOf({ lines }: Page): { position: number; brings: string[] } {
  return { position: lines.at(-1)!.number, brings: lines.map(({ number }) => String(number)) };
}
