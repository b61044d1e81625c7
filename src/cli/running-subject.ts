/** What a job is for, in a few words; nothing for maintenance. */
export function subjectOf(job: {
  requestId: number | null;
  packageManager: string | null;
  buildId: number | null;
}): string {
  if (job.buildId !== null) return `build ${job.buildId}`;
  if (job.requestId === null) return '';
  return `request ${job.requestId}${job.packageManager === null ? '' : ` ${job.packageManager}`}`;
}
