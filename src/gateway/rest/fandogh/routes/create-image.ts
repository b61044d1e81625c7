import { ConflictError } from '../../../../domain/errors.ts';
import { DEFAULT_REPOSITORY } from '../../../../domain/images/published-image.ts';
import { createPublishedImage } from '../../../../domain/images/published-images.ts';
import { fieldError } from '../errors.ts';
import { requiredName } from '../parameters/image-name.ts';
import { bodyObject } from '../request-body.ts';
import type { FandoghRoute } from '../route.ts';
import { sendMessage } from '../send-json.ts';

/** fandogh.md 1.5. Clients that make an image which is there look for it in the list next. */
export const createImage: FandoghRoute = {
  method: 'POST',
  path: '/images',
  async handle(call, request, reply) {
    const projectName = await call.namespace();
    const name = requiredName(bodyObject(request).name);
    try {
      await createPublishedImage(call.database, call.principal, {
        projectName,
        repository: DEFAULT_REPOSITORY,
        name,
      });
    } catch (error) {
      if (error instanceof ConflictError) throw fieldError('name', error.message);
      throw error;
    }
    return sendMessage(reply, call.text('imageCreated'));
  },
};
