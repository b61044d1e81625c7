import { manyModules, projectOf, startGoProxy } from '../test/support/go-proxy.ts';

/** What the process says when it is ready. */
export interface GoServer {
  url: string;
  /** The go.mod and the archive of each module. */
  files: string[];
  project: Record<string, string>;
  /** On another module, for a first request that is not measured. */
  warmUpProject: Record<string, string>;
}

/** A child process: a Go module proxy. Arguments: number of modules, latency. */
if (process.send && import.meta.main) {
  const count = Number(process.argv[2]);
  const modules = manyModules(count);
  const warmUp = { path: 'example.test/warm', version: 'v1.0.0' };
  const proxy = await startGoProxy([...modules, warmUp], { latency: Number(process.argv[3]) });
  const ready: GoServer = {
    url: proxy.url,
    files: modules.flatMap(({ path, version }) =>
      ['mod', 'zip'].map((extension) => `${proxy.url}/${path}/@v/${version}.${extension}`),
    ),
    project: projectOf(proxy.modules.slice(0, count)),
    warmUpProject: projectOf(proxy.modules.slice(count)),
  };
  process.send(ready);
  process.on('disconnect', () => process.exit());
}
