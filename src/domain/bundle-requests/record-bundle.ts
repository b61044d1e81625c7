import type { ConsumerSetup } from '../bundles/bundle-file.ts';
import type { SbomComponent } from '../bundles/sbom-component.ts';
import type { Database } from '../database/database.ts';
import { insertBundle, type NewBundle } from '../database/sql/insert-bundle.ts';
import { insertComponents, insertPackageVersions } from '../database/sql/insert-dictionaries.ts';
import { insertRequestComponents } from '../database/sql/insert-request-components.ts';
import { insertRequestPackages } from '../database/sql/insert-request-packages.ts';
import { recordBlobs } from '../database/sql/record-blobs.ts';
import {
  insertConfigurationFiles,
  insertEnvironment,
  type SetupForm,
} from '../database/sql/request-setup.ts';
import { type ReportedPackages, uniqueDependencies } from '../packages/reported-packages.ts';
import type { Digest, StoredBlob } from '../storage/blob-store.ts';
import { changeState } from './change-state.ts';
import { endRequest, finishStep, type StepLease } from './run-step.ts';
import { AGGREGATING, ASSEMBLING, SUCCESS_REASON } from './state-reasons.ts';

export interface AssembledBundle {
  bundle: NewBundle;
  packages: ReportedPackages;
  components: readonly SbomComponent[];
  offline: ConsumerSetup;
  registry: ConsumerSetup;
  /** Durable. */
  blobs: readonly StoredBlob[];
}

/** Documents about a bundle, durable. */
export interface BundleDocuments {
  cyclonedx: Digest;
  spdx: Digest;
  provenance: Digest;
  blobs: readonly StoredBlob[];
}

/**
 * Names of packages and components that no request had before; {@link recordBundle} refers to them. They grow outside of
 * its transaction, so that no request waits for another one's commit.
 */
export async function growDictionaries(
  database: Database,
  { packages, components }: Pick<AssembledBundle, 'packages' | 'components'>,
): Promise<void> {
  await insertPackageVersions(database.sql, packages.packages);
  await insertComponents(database.sql, components);
}

/**
 * Ends `assemble-bundle`, and the request with it: everything that a client may ask for is there from here on. Rows are
 * written while documents are still being made.
 */
export async function recordBundle(
  database: Database,
  lease: StepLease,
  result: AssembledBundle,
  /** May be called when they are being made already; whoever calls {@link recordBundle} sees to a failure. */
  makeDocuments: () => Promise<BundleDocuments>,
): Promise<void> {
  await finishStep(database, lease, result.blobs, async (tx, request) => {
    const { sql } = tx;
    await changeState(sql, request, 'in_progress', ASSEMBLING);
    // Beside this transaction, as with blobs: who needs the same bundle does not wait for us, and thousands of rows are
    // written by two connections. Without the request's row nothing names it, and it goes like a bundle out of use.
    const bundle = database.transaction((own) => insertBundle(own.sql, result.bundle));
    bundle.catch(() => undefined);
    await changeState(sql, request, 'in_progress', AGGREGATING);
    const documents = makeDocuments();
    await insertRequestPackages(sql, request.id, result.packages.packages);
    await insertRequestComponents(sql, request.id, result.components);
    await insertSetup(sql, request.id, 'offline', result.offline);
    await insertSetup(sql, request.id, 'registry', result.registry);
    await bundle;
    const { cyclonedx, spdx, provenance, blobs } = await documents;
    // As with the others, not in this transaction.
    await recordBlobs(database.sql, blobs);
    await sql.query(
      `update bundle_requests
       set bundle_digest = $2, cyclonedx_digest = $3, spdx_digest = $4, provenance_digest = $5, packages_count = $6,
         dependencies_count = $7
       where id = $1`,
      [
        request.id,
        result.bundle.manifestDigest,
        cyclonedx,
        spdx,
        provenance,
        result.packages.packages.length,
        uniqueDependencies(result.packages.packages).length,
      ],
    );
    await changeState(sql, request, 'complete', SUCCESS_REASON);
    await endRequest(tx, request);
  });
}

async function insertSetup(
  sql: Parameters<typeof insertBundle>[0],
  requestId: number,
  form: SetupForm,
  { environment, configurationFiles }: ConsumerSetup,
): Promise<void> {
  await insertEnvironment(sql, requestId, form, environment);
  await insertConfigurationFiles(
    sql,
    requestId,
    form,
    configurationFiles.map(({ path, content }) => ({ path, content, encoded: null })),
  );
}
