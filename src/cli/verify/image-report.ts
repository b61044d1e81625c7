import { counted } from '../prefetch/quantities.ts';
import { problemLines } from './report.ts';
import type { ImageReport } from './verify-image.ts';

/** What was found, for people. */
export function imageReportLines(report: ImageReport): string[] {
  const { image, provenance, bundle, source, sbom } = report;
  return [
    `image       ${image.digest} ${image.name}`,
    ...(provenance === null
      ? []
      : [
          `provenance  signature verified, key ${provenance.keyId} from ${report.keysFrom}`,
          `built       ${builtText(provenance)}`,
          ...provenance.baseImages.map(({ name, digest }) => `base image  ${digest} ${name}`),
        ]),
    ...(bundle === null
      ? []
      : [`bundle      ${bundle.manifestDigest}, signature verified, key ${bundle.keyId}`]),
    ...(source === null ? [] : [`source      ${sourceText(source)}`]),
    ...(sbom === null ? [] : [`sbom        CycloneDX, ${counted(sbom.components, 'component')}`]),
    ...problemLines(report),
    ...(report.ok ? ['ok'] : []),
  ];
}

function builtText({
  isHermetic,
  dockerfile,
  builtFrom,
  tools,
  finishedOn,
}: NonNullable<ImageReport['provenance']>): string {
  const with_ = Object.entries(tools).map(([name, version]) => `${name} ${version}`);
  const what = builtFrom === 'git' ? 'a repository' : builtFrom === 'bundle' ? 'a bundle' : 'an upload';
  return `${isHermetic ? 'without network' : 'WITH network'} from ${what}, ${dockerfile}, with ${with_.join(', ')}, ${finishedOn}`;
}

function sourceText({ uri, commit, tree, digest }: NonNullable<ImageReport['source']>): string {
  const parts = [
    ...(uri === null ? [] : [uri]),
    ...(commit === null || uri?.endsWith(commit) ? [] : [`commit ${commit}`]),
    ...(tree === null ? [] : [`tree ${tree}`]),
    ...(digest === null ? [] : [`upload ${digest}`]),
  ];
  return parts.join(', ') || 'unknown';
}
