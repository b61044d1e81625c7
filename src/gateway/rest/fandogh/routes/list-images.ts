import { imagesOf } from '../published.ts';
import type { FandoghRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { imageShape } from '../shapes/images.ts';

/** fandogh.md 1.4; some clients ask for it only to see whether their token is good. */
export const listImages: FandoghRoute = {
  method: 'GET',
  path: '/images',
  async handle(call, _request, reply) {
    return sendJson(reply, 200, (await imagesOf(call)).map(imageShape));
  },
};
