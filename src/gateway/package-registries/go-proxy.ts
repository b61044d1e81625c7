import { fileAnswer, nothingThere, type Registry } from './registry-request.ts';

const MODULE_CACHE = 'deps/gomod/pkg/mod/cache/download';
const MODULE_FILE = /^.+\/@v\/(list|[^/]+\.(info|mod|zip))$/;

/** GOPROXY over the request's module cache, whose files have the names that the protocol asks for. */
export const goProxy: Registry = async (request) => {
  const { services, bundle, path } = request;
  const [, , kind] = MODULE_FILE.exec(path) ?? [];
  if (!MODULE_FILE.test(path)) throw nothingThere();
  const files = await services.contents.files(bundle);
  return fileAnswer(request, files.get(`${MODULE_CACHE}/${path}`), CONTENT_TYPES[kind ?? ''] ?? TEXT);
};

const TEXT = 'text/plain; charset=utf-8';
const CONTENT_TYPES: Record<string, string> = { info: 'application/json', zip: 'application/zip' };
