import type { BuildEvent } from '../client/image-builds.ts';
import type { LogLine } from '../client/subject-log.ts';
import { type PrefetchReporter, prefetchReporter } from '../prefetch/reporter.ts';

/** Who tells the user what `stowage build` does while it does it: of a bundle first, then of the build. */
export interface BuildReporter extends PrefetchReporter {
  /** The build has this number. */
  building(number: number, server: string | null): void;
  buildEvent(event: BuildEvent): void;
  /** A line of the build's log. */
  output(line: LogLine): void;
}

/** For people the log goes to stderr as it is; for programs everything is one JSON object a line on stdout. */
export function buildReporter({ json }: { json: boolean }): BuildReporter {
  const reporter = prefetchReporter({ json });
  const write = (object: object): void => void process.stdout.write(`${JSON.stringify(object)}\n`);
  return Object.assign(
    reporter,
    json
      ? {
          building: (number: number, server: string | null) => write({ type: 'build', number, server }),
          buildEvent: (event: BuildEvent) => write({ type: 'build-event', event }),
          output: (line: LogLine) => write({ type: 'build-log', line }),
        }
      : {
          building: (number: number, server: string | null) =>
            reporter.note(server === null ? `build ${number}` : `build ${number} on ${server}`),
          buildEvent: ({ data }: BuildEvent) => {
            if (data.state === 'queued') reporter.phase('waiting for a worker');
            if (data.state === 'running') reporter.phase('building');
          },
          output: ({ text, level }: LogLine) => {
            // What went wrong is said at the end.
            if (level === 'info' || level === 'warn') reporter.note(text);
          },
        },
  );
}
