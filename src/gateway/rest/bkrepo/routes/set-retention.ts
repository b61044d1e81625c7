import type { RetentionRules } from '../../../../domain/registry/retention-rules.ts';
import { dataOf } from '../../../graphql/run-operation.ts';
import { BkrepoError } from '../errors.ts';
import { type RepositoryId, SET_RETENTION } from '../operations/repositories.ts';
import type { BkrepoCall } from '../route.ts';
import { refusedAs } from './refusals.ts';

/** The clean-up of a repository; undefined: it stays as it is. */
export async function setRetention(
  { run }: BkrepoCall,
  repository: RepositoryId,
  rules: RetentionRules | null | undefined,
): Promise<void> {
  if (rules === undefined) return;
  const { result } = await run(SET_RETENTION, { ...repository, rules });
  refusedAs({ 'invalid-input': () => new BkrepoError('PARAMETER_INVALID', 'cleanupStrategy') }, () =>
    dataOf(result),
  );
}
