import type { Settings } from '../config.ts';
import type { Transaction } from '../database/database.ts';
import { countUnfinishedBuilds } from '../database/sql/admit-builds.ts';
import { TooManyRequestsError } from '../errors.ts';

/** Throws TooManyRequestsError when as many builds of the project wait or run as may. */
export async function requireRoom(
  { sql }: Pick<Transaction, 'sql'>,
  { projectBuildLimit }: Pick<Settings, 'projectBuildLimit'>,
  projectId: number,
): Promise<void> {
  const unfinished = await countUnfinishedBuilds(sql, projectId);
  if (unfinished < projectBuildLimit) return;
  throw new TooManyRequestsError(`${unfinished} builds of this project wait or run already`, {
    hint: 'Submit again when some of them are over.',
    details: { queued: unfinished, limit: projectBuildLimit },
  });
}
