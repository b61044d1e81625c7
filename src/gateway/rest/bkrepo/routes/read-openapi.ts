import { API_OPENAPI, EXT_OPENAPI, type OpenapiFiles } from '../openapi-documents.ts';
import type { BkrepoRoute } from '../route.ts';
import { API_PREFIX, inExt } from './generations.ts';

const FORMS = ['json', 'yaml'] as const;

/** What there is to call, for programs: the document itself, without an envelope. */
export const readExtOpenapi = FORMS.flatMap((form) => inExt((prefix) => routeOf(prefix, EXT_OPENAPI, form)));
export const readApiOpenapi = FORMS.map((form) => routeOf(API_PREFIX, API_OPENAPI, form));

function routeOf(prefix: string, files: OpenapiFiles, form: keyof OpenapiFiles): BkrepoRoute {
  return {
    method: 'GET',
    path: `${prefix}/openapi.${form}`,
    login: 'nobody',
    async handle(_call, _request, reply) {
      reply.header('content-type', `application/${form}`).send(files[form]);
    },
  };
}
