import { basename } from 'node:path';
import type { Problem } from '../../domain/bundles/verify-bundle.ts';
import type { FailureCode } from '../../domain/errors.ts';
import { counted, formatBytes, formatCount } from '../prefetch/quantities.ts';
import type { VerificationReport } from './run.ts';

/** What was found, for people. */
export function reportLines(report: VerificationReport): string[] {
  const { archive, tar, manifest, sbom, provenance } = report;
  return [
    `archive     ${archive.digest} ${basename(archive.file)} (${formatBytes(archive.size)})`,
    `tar         ${tar.digest}`,
    `manifest    ${manifest.digest} (${counted(manifest.entries, 'entry', 'entries')})`,
    `sbom        ${sbom === null ? 'none' : `${sbom.format}, ${counted(sbom.components, 'component')}`}`,
    `provenance  ${provenance === null ? 'none' : signatureText(provenance)}`,
    ...problemLines(report),
    ...(report.ok ? ['ok'] : []),
  ];
}

/** Of a report of any kind. */
export function problemLines({ problems, problemCount }: Problems): string[] {
  return [
    ...problems.map((problem) => `FAILED      ${problemText(problem)}`),
    ...(problemCount > problems.length
      ? [`            and ${formatCount(problemCount - problems.length)} more`]
      : []),
  ];
}

type Problems = Pick<VerificationReport, 'problems' | 'problemCount'>;

function signatureText({ signature, keyIds }: NonNullable<VerificationReport['provenance']>): string {
  const key = keyIds.join(', ') || 'an unnamed key';
  return signature === 'verified'
    ? `signature verified, key ${key}`
    : `digests compared, signature NOT verified (of key ${key}); name the public key with --key FILE`;
}

/** The file, what is wrong with it, and both values. */
function problemText({ path, what, expected, actual }: Problem): string {
  const values = [
    ...(expected === null ? [] : [`expected ${expected}`]),
    ...(actual === null ? [] : [`actual ${actual}`]),
  ];
  const subject = path === null ? '' : `${printable(path)} `;
  return `${subject}${what}${values.length === 0 ? '' : `: ${values.map(printable).join(', ')}`}`;
}

/** Names come from an archive that nobody has looked at yet: no control characters reach the terminal. */
function printable(text: string): string {
  return text.replace(/[\0-\x1f\x7f-\x9f]/g, (character) => JSON.stringify(character).slice(1, -1));
}

const WORST_FIRST: readonly FailureCode[] = ['path-outside-root', 'checksum-mismatch', 'unexpected-format'];

/** The code that decides about the exit code (docs/exit-codes.md). */
export function failureCode({ problems }: Pick<Problems, 'problems'>): FailureCode {
  return WORST_FIRST.find((code) => problems.some((problem) => problem.code === code)) ?? 'internal';
}
