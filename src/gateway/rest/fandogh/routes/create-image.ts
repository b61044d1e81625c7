import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { fieldError } from '../errors.ts';
import { CREATE_IMAGE } from '../operations/images.ts';
import { requiredName } from '../parameters/image-name.ts';
import { imageOf } from '../published.ts';
import { bodyObject } from '../request-body.ts';
import type { FandoghRoute } from '../route.ts';
import { sendMessage } from '../send-json.ts';

/** fandogh.md 1.5. Clients that make an image which is there look for it in the list next. */
export const createImage: FandoghRoute = {
  method: 'POST',
  path: '/images',
  async handle(call, request, reply) {
    await call.namespace();
    const name = requiredName(bodyObject(request).name);
    const { result } = await call.run(CREATE_IMAGE, await imageOf(call, name));
    refusedAs({ conflict: ({ message }) => fieldError('name', message) }, () => dataOf(result));
    return sendMessage(reply, call.text('imageCreated'));
  },
};
