import type { SourceUpload } from '../../../../domain/database/sql/insert-upload.ts';
import { ConflictError, DomainError, ForbiddenError, InvalidInputError } from '../../../../domain/errors.ts';
import { requireScope } from '../../../../domain/identity/principal.ts';
import { requireProjectRole } from '../../../../domain/identity/projects.ts';
import { type PublishedName, requireVersionName } from '../../../../domain/images/published-image.ts';
import { submitBuild } from '../../../../domain/images/submit-build.ts';
import { inspectBuildArchive } from '../../../../domain/sources/archives/inspect-build-archive.ts';
import { receiveUpload } from '../../../../domain/sources/receive-upload.ts';
import { fieldError, messageError, requestError } from '../errors.ts';
import { imageNameOf } from '../parameters/path.ts';
import { publishedNameOf, requireImage } from '../published.ts';
import type { FandoghCall, FandoghUploadRoute } from '../route.ts';
import { sendMessage } from '../send-json.ts';
import {
  FormTooLargeError,
  MalformedFormError,
  readVersionForm,
  type StoreSource,
  type VersionForm,
} from '../version-form.ts';

/**
 * fandogh.md 1.8: the body is read to its end whatever is wrong, then what is wrong is told in the order of the contract.
 * The answer comes when the source is stored and the build is queued.
 */
export const publishVersion: FandoghUploadRoute = {
  method: 'POST',
  path: '/images/:name/versions',
  async handle(caller, { settings }, request, reply) {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const name = imageNameOf(request);
    const [entrance, form] = await readAtTheDoor(
      () => enter(caller, name),
      (call) => readVersionForm(request.raw, call && storeWith(call), mostBytes(settings)),
    );
    if (entrance.status === 'rejected') throw entrance.reason;
    if (form.status === 'rejected') {
      if (form.reason instanceof FormTooLargeError) reply.header('connection', 'close');
      throw form.reason instanceof MalformedFormError ? requestError(form.reason.message) : form.reason;
    }
    const call = entrance.value;
    await publish(call, await publishedNameOf(call, name), form.value, gone.signal);
    return sendMessage(reply, call.text('versionCreated'));
  },
};

/** Who may not come in leaves the body at the door, which is read all the same. */
async function readAtTheDoor(
  enter: () => Promise<FandoghCall>,
  read: (call: FandoghCall | null) => Promise<VersionForm<SourceUpload>>,
): Promise<[PromiseSettledResult<FandoghCall>, PromiseSettledResult<VersionForm<SourceUpload>>]> {
  const [entrance] = await Promise.allSettled([enter()]);
  const [form] = await Promise.allSettled([read(entrance.status === 'fulfilled' ? entrance.value : null)]);
  return [entrance, form];
}

async function enter(caller: () => Promise<FandoghCall>, name: string): Promise<FandoghCall> {
  const call = await caller();
  const namespace = await call.namespace();
  await requireImage(call, name, `Image with this name: ${name} does not exist`);
  try {
    requireScope(call.principal, 'write');
    await requireProjectRole({ em: call.database.em() }, call.principal, namespace, 'developer');
  } catch (error) {
    if (error instanceof ForbiddenError) throw messageError(403, 'You cannot publish version for this image');
    throw error;
  }
  return call;
}

function storeWith(call: FandoghCall): StoreSource<SourceUpload> {
  return (name, open) => receiveUpload(call, call.principal, { name, open });
}

/** Forms that are a little too large are read, so that the client hears which field is. */
function mostBytes({ limits }: FandoghCall['settings']): number {
  return 2 * limits.uploadBytes + 64 * 1024 * 1024;
}

async function publish(
  call: FandoghCall,
  destination: PublishedName,
  { version, source }: VersionForm<SourceUpload>,
  signal: AbortSignal,
): Promise<void> {
  const { database, settings, blobs, principal } = call;
  if (version === null || version === '') throw fieldError('version', 'version is necessary');
  refusedAs('version', () => requireVersionName(version));
  if (source === null) throw fieldError('source', 'source is necessary');
  if (source instanceof DomainError) throw asFieldError('source', source);
  const { id: uploadId, digest } = source;
  try {
    await inspectBuildArchive({ blobs, digest, limits: settings.limits, signal });
  } catch (error) {
    throw asFieldError('source', error);
  }
  try {
    await submitBuild(database, settings, principal, { ...destination, version }, { uploadId }, 'once');
  } catch (error) {
    throw error instanceof ConflictError ? asFieldError('version', error) : error;
  }
}

function refusedAs(field: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw asFieldError(field, error);
  }
}

function asFieldError(field: string, error: unknown): unknown {
  const isTheirs = error instanceof InvalidInputError || error instanceof ConflictError;
  return isTheirs ? fieldError(field, error.message) : error;
}
