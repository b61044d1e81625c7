import './scalars.ts';
import './errors.ts';
import './identity/queries.ts';
import './identity/mutations.ts';
import './bundle-requests/queries.ts';
import './bundle-requests/pages.ts';
import './bundle-requests/metrics.ts';
import './bundle-requests/mutations.ts';
import './bundle-requests/cachito.ts';
import './bundle-requests/subscriptions.ts';
import './sources/uploads.ts';
import './components/components.ts';
import './processes/status.ts';
import './processes/workers.ts';
import { builder } from './builder.ts';

/** The whole domain in one schema; printed to schema/schema.graphql. */
export const schema = builder.toSchema();
