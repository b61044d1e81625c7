import type { SourceUpload } from '../../../../domain/database/sql/insert-upload.ts';
import { DomainError } from '../../../../domain/errors.ts';
import { requireVersionName } from '../../../../domain/images/published-image.ts';
import { receiveUpload } from '../../../../domain/sources/receive-upload.ts';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { type FandoghError, fieldError, messageError, requestError } from '../errors.ts';
import { BUILD_UPLOAD } from '../operations/builds.ts';
import { imageNameOf } from '../parameters/path.ts';
import { imageOf, requireImage } from '../published.ts';
import { MOST_READ_BYTES } from '../request-body.ts';
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
  async handle(caller, request, reply) {
    const name = imageNameOf(request);
    const [entrance, form] = await readAtTheDoor(
      () => enter(caller, name),
      (call) => readVersionForm(request.raw, call && storeWith(call), MOST_READ_BYTES),
    );
    if (entrance.status === 'rejected') throw entrance.reason;
    if (form.status === 'rejected') {
      if (form.reason instanceof FormTooLargeError) reply.header('connection', 'close');
      throw form.reason instanceof MalformedFormError ? requestError(form.reason.message) : form.reason;
    }
    const call = entrance.value;
    await publish(call, name, form.value);
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
  await call.namespace();
  const { mayPublish } = await requireImage(call, name, `Image with this name: ${name} does not exist`);
  if (!mayPublish) throw messageError(403, 'You cannot publish version for this image');
  return call;
}

function storeWith(call: FandoghCall): StoreSource<SourceUpload> {
  const mostBytes = call.settings.fandoghUploadBytes;
  return (name, open) => receiveUpload(call, call.principal, { name, open, mostBytes });
}

async function publish(
  call: FandoghCall,
  name: string,
  { version, source }: VersionForm<SourceUpload>,
): Promise<void> {
  if (version === null || version === '') throw fieldError('version', 'version is necessary');
  refusedAs({ 'invalid-input': about('version') }, () => requireVersionName(version));
  if (source === null) throw fieldError('source', 'source is necessary');
  const refusals = { 'invalid-input': about('source'), conflict: about('version') };
  const { id: upload } = refusedAs(refusals, () => storedOf(source));
  const { result } = await call.run(BUILD_UPLOAD, { ...(await imageOf(call, name)), version, upload });
  refusedAs(refusals, () => dataOf(result));
}

function storedOf(source: SourceUpload | DomainError): SourceUpload {
  if (source instanceof DomainError) throw source;
  return source;
}

function about(field: string): (error: DomainError) => FandoghError {
  return ({ message }) => fieldError(field, message);
}
