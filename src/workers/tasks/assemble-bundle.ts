import { ValidationError } from '../../domain/errors.ts';
import type { StepContext } from './step-task.ts';

export async function assembleBundle(_context: StepContext): Promise<void> {
  throw new ValidationError('internal', 'not assembled yet');
}
