import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { messageError } from '../errors.ts';
import { DELETE_IMAGE } from '../operations/images.ts';
import { imageNameOf } from '../parameters/path.ts';
import { noImage, requireImage } from '../published.ts';
import type { FandoghRoute } from '../route.ts';
import { sendMessage } from '../send-json.ts';

/** fandogh.md 1.6: clients need a message; who wants none says so (RFC 7240). */
export const deleteImage: FandoghRoute = {
  method: 'DELETE',
  path: '/images/:name',
  async handle(call, request, reply) {
    const name = imageNameOf(request);
    const { number } = await requireImage(call, name);
    const { result } = await call.run(DELETE_IMAGE, { number });
    refusedAs({ 'not-found': () => messageError(404, noImage(name)) }, () => dataOf(result));
    if (prefersMinimal(request.headers.prefer)) {
      return reply.code(204).header('preference-applied', 'return=minimal').send();
    }
    return sendMessage(reply, call.text('imageDeleted'));
  },
};

function prefersMinimal(header: string | string[] | undefined): boolean {
  const preferences = [header ?? []].flat().flatMap((one) => one.split(','));
  return preferences.some((one) => /^\s*return\s*=\s*"?minimal"?\s*(?:;|$)/i.test(one));
}
