import { deletePublishedImage } from '../../../../domain/images/published-images.ts';
import { imageNameOf } from '../parameters/path.ts';
import { requireImage } from '../published.ts';
import type { FandoghRoute } from '../route.ts';
import { sendMessage } from '../send-json.ts';

/** fandogh.md 1.6: clients need a message; who wants none says so (RFC 7240). */
export const deleteImage: FandoghRoute = {
  method: 'DELETE',
  path: '/images/:name',
  async handle(call, request, reply) {
    const { id } = await requireImage(call, imageNameOf(request));
    await deletePublishedImage(call.database, call.settings, call.principal, id);
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
