import {
  ConflictError,
  type DomainError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  TooManyRequestsError,
  UnauthenticatedError,
} from '../../domain/errors.ts';
import { builder } from './builder.ts';

export const ErrorInterface = builder.interfaceRef<DomainError>('Error').implement({
  description: 'Why a mutation was refused. Nothing was changed.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'For programs, e.g. `not-found`.', nullable: false }),
    message: t.exposeString('message', { nullable: false }),
    hint: t.exposeString('hint', { description: 'What can be done about it.', nullable: true }),
    details: t.expose('details', { type: 'JSON', description: 'Facts: names, digests.', nullable: false }),
  }),
});

const DESCRIPTIONS: [typeof DomainError, string][] = [
  [InvalidInputError as typeof DomainError, 'The input breaks a rule.'],
  [NotFoundError as typeof DomainError, 'There is no such thing, or the caller must not know of it.'],
  [ForbiddenError as typeof DomainError, 'The caller is known and must not do this.'],
  [UnauthenticatedError as typeof DomainError, 'Log in first.'],
  [ConflictError as typeof DomainError, 'The subject is in a state in which this is not possible.'],
  [TooManyRequestsError as typeof DomainError, 'As many wait already as may; try again later.'],
];

for (const [type, description] of DESCRIPTIONS) {
  builder.objectType(type, { name: type.name, description, interfaces: [ErrorInterface] });
}
