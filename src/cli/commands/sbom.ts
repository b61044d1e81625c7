import { Command, Option } from 'commander';
import { NotFoundError } from '../../domain/errors.ts';
import { isRequestNumber, type ServerOptions } from '../client/server-of-command.ts';
import { serverOption, tokenOption } from './server-options.ts';

type SbomFormat = 'cyclonedx-1.6' | 'spdx-2.3';

export function sbomCommand(): Command {
  return new Command('sbom')
    .description('print the SBOM of a request, or the one beside a bundle')
    .argument('<number-or-file>', 'number of a request, or a bundle')
    .addOption(
      new Option('--format <format>', 'of a request’s SBOM')
        .choices(['cyclonedx-1.6', 'spdx-2.3'])
        .default('cyclonedx-1.6'),
    )
    .addOption(serverOption())
    .addOption(tokenOption())
    .action(sbom);
}

async function sbom(subject: string, options: ServerOptions & { format: SbomFormat }): Promise<void> {
  await (isRequestNumber(subject) ? ofRequest(Number(subject), options) : ofFile(subject));
}

async function ofRequest(number: number, options: ServerOptions & { format: SbomFormat }): Promise<void> {
  const [{ withServer }, { refused }] = await Promise.all([
    import('../client/server-of-command.ts'),
    import('../client/stowage-client.ts'),
  ]);
  await withServer(options, async (client) => {
    const response = await client.send(`/bundle-requests/${number}/sbom?format=${options.format}`);
    if (response.status === 404) throw new NotFoundError(`Request ${number} has no SBOM`);
    if (!response.ok) throw refused(response, options.server ?? 'the local server');
    for await (const chunk of response.body!) {
      if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
  });
}

async function ofFile(bundle: string): Promise<void> {
  const [{ createReadStream, existsSync }, { pipeline }, { outputFiles }] = await Promise.all([
    import('node:fs'),
    import('node:stream/promises'),
    import('../prefetch/outputs.ts'),
  ]);
  const { sbom: path } = outputFiles(bundle);
  if (!existsSync(path)) {
    throw new NotFoundError(`There is no SBOM ${path} beside the bundle`, {
      hint: 'Ask the server for it: stowage sbom NUMBER.',
    });
  }
  await pipeline(createReadStream(path), process.stdout, { end: false });
}
