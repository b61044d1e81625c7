import { submitCachitoRequest } from '../../../domain/bundle-requests/submit-cachito.ts';
import {
  addFilesFromOutside,
  updateFromOutside,
} from '../../../domain/bundle-requests/update-from-outside.ts';
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
  updateCachitoRequest: t.field({
    type: BundleRequestRef,
    nullable: false,
    description: 'Changes state, counts and variables. For users whom the settings name as workers.',
    errors: {},
    args: {
      number: t.arg.int({ required: true }),
      body: t.arg({ type: 'JSON', description: 'As in PATCH /api/v1/requests/{id}.' }),
    },
    resolve: (_root, { number, body }, { database, settings, principal }) =>
      updateFromOutside(database, settings, principal, number, body),
  }),
  addCachitoConfigurationFiles: t.field({
    type: BundleRequestRef,
    nullable: false,
    description: 'For users whom the settings name as workers.',
    errors: {},
    args: {
      number: t.arg.int({ required: true }),
      body: t.arg({ type: 'JSON', description: 'As in POST /api/v1/requests/{id}/configuration-files.' }),
    },
    resolve: (_root, { number, body }, { database, settings, principal }) =>
      addFilesFromOutside(database, settings, principal, number, body),
  }),
}));
