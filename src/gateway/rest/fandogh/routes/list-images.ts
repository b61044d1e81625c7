import { findLastVersionRows } from '../../../../domain/database/sql/published-images.ts';
import { imagesOf } from '../published.ts';
import type { FandoghRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { imageShape } from '../shapes/images.ts';

/** fandogh.md 1.4; some clients ask for it only to see whether their token is good. */
export const listImages: FandoghRoute = {
  method: 'GET',
  path: '/images',
  async handle(call, _request, reply) {
    const images = await imagesOf(call);
    const last = await findLastVersionRows(
      call.database.sql,
      images.map(({ id }) => id),
    );
    const byImage = new Map(last.map((version) => [version.imageId, version]));
    return sendJson(
      reply,
      200,
      images.map((image) => imageShape(image, byImage.get(image.id) ?? null)),
    );
  },
};
