import { createHash } from 'node:crypto';
import { arrangeGems, gemInfo, gemNames, gemVersions } from '../../domain/package-registries/gem-index.ts';
import { textRepresentation } from '../downloads/representation.ts';
import { fileAnswer, nothingThere, type Registry, type RegistryAnswer } from './registry-request.ts';

/** The compact index that Bundler reads, and the gems. */
export const gemRegistry: Registry = async (request) => {
  const { services, bundle, path } = request;
  const gems = await services.contents.view(bundle, arrangeGems);
  const [place, name = '', ...deeper] = path.split('/');
  if (deeper.length > 0) throw nothingThere();
  switch (place) {
    case 'versions':
      if (name === '') return text(await gemVersions(gems, services.facts));
      break;
    case 'names':
      if (name === '') return text(gemNames(gems));
      break;
    case 'info': {
      const versions = gems.byName.get(name);
      if (versions) return text(await gemInfo(versions, services.facts));
      break;
    }
    case 'gems':
      return fileAnswer(request, gems.byFileName.get(name), 'application/octet-stream');
  }
  throw nothingThere();
};

/** Bundler takes the entity tag for the MD5 of the text. */
function text(content: string): RegistryAnswer {
  const about = {
    contentType: 'text/plain; charset=utf-8',
    fileName: 'index.txt',
    disposition: 'inline',
  } as const;
  const etag = createHash('md5').update(content).digest('hex');
  return { representation: { ...textRepresentation(content, about), etag } };
}
