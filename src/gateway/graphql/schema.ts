import './scalars.ts';
import './errors.ts';
import './identity/queries.ts';
import './identity/mutations.ts';
import './identity/platform-accounts.ts';
import './bundle-requests/queries.ts';
import './bundle-requests/mutations.ts';
import './bundle-requests/subscriptions.ts';
import './sources/uploads.ts';
import './components/components.ts';
import './processes/workers.ts';
import './registry/errors.ts';
import './registry/image.ts';
import './registry/tag.ts';
import './registry/manifest.ts';
import './registry/upload-session.ts';
import './registry/queries.ts';
import './registry/mutations.ts';
import './registry/retention.ts';
import './registry/garbage.ts';
import './registry/subscriptions.ts';
import './registry/image-packages.ts';
import './registry/named-repositories.ts';
import { builder } from './builder.ts';

/** The whole domain in one schema; printed to schema/schema.graphql. */
export const schema = builder.toSchema();
