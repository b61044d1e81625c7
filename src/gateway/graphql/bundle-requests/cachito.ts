import { submitCachitoRequest } from '../../../domain/bundle-requests/submit-cachito.ts';
import { builder } from '../builder.ts';
import { BundleRequestRef } from './bundle-request.ts';

/** What Cachito's API asks for in its own words: the rules for them are the domain's. */
builder.mutationFields((t) => ({
  submitCachitoRequest: t.field({
    type: BundleRequestRef,
    nullable: false,
    description: "Submits under the rules of Cachito's API.",
    errors: {},
    args: { body: t.arg({ type: 'JSON', description: 'As in POST /api/v1/requests.' }) },
    resolve: (_root, { body }, { database, settings, principal }) =>
      submitCachitoRequest(database, settings, principal, body),
  }),
}));
