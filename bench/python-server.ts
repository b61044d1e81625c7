import { manySdists, requirementsOf, startPythonIndex } from '../test/support/python-index.ts';

/** What the process says when it is ready. */
export interface PythonServer {
  url: string;
  /** For each file its index page, then the file itself. */
  chains: string[][];
  requirements: string;
  /** Of other files, for a first request that is not measured. */
  warmUpRequirements: string;
}

const WARM_UP_FILES = 10;

/** A child process: a Python index. Arguments: number of files, latency. */
if (process.send && import.meta.main) {
  const count = Number(process.argv[2]);
  const index = await startPythonIndex(manySdists(count + WARM_UP_FILES), {
    latency: Number(process.argv[3]),
  });
  const { origin } = new URL(index.url);
  const measured = index.files.slice(0, count);
  const ready: PythonServer = {
    url: index.url,
    chains: measured.map(({ project, path }) => [`${index.url}/${project}/`, `${origin}/${path}`]),
    requirements: requirementsOf(measured),
    warmUpRequirements: requirementsOf(index.files.slice(count)),
  };
  process.send(ready);
  process.on('disconnect', () => process.exit());
}
