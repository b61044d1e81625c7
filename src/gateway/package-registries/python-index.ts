import { arrangePython, type HostedFile } from '../../domain/package-registries/python-projects.ts';
import { canonicalName } from '../../domain/packages/python-project-name.ts';
import { textRepresentation } from '../downloads/representation.ts';
import { fileAnswer, nothingThere, type Registry, type RegistryAnswer } from './registry-request.ts';

/** PEP 503 over the releases among a request's dependencies: pages below `simple/`, files below `packages/`. */
export const pythonIndex: Registry = async (request) => {
  const { services, bundle, url, path } = request;
  const { projects, hosted } = await services.contents.view(bundle, arrangePython);
  const [place = '', name = '', ...deeper] = path.split('/');

  if (place === 'packages') {
    return fileAnswer(request, hosted.get(path.slice('packages/'.length)), 'application/octet-stream');
  }
  if (place !== 'simple' || deeper.length > 1 || (deeper[0] ?? '') !== '') throw nothingThere();
  if (name === '') {
    return path === 'simple/' ? listPage([...projects.keys()]) : { redirect: `${url}simple/` };
  }
  const canonical = canonicalName(name);
  const files = projects.get(canonical);
  if (!files) throw nothingThere();
  return path === `simple/${canonical}/`
    ? projectPage(canonical, files)
    : { redirect: `${url}simple/${canonical}/` };
};

/** Archives of git and URL dependencies, which are no releases, by their bundle path; `deps/pip/` may be left out. */
export const pythonArchives: Registry = async (request) => {
  const { services, bundle, path } = request;
  const { direct } = await services.contents.view(bundle, arrangePython);
  return fileAnswer(request, direct.get(path.replace(/^deps\/pip\//, '')), 'application/octet-stream');
};

function listPage(projects: readonly string[]): RegistryAnswer {
  return page(
    'Simple index',
    projects.map((name) => ({ href: `${encodeURIComponent(name)}/`, text: name })),
  );
}

function projectPage(name: string, files: readonly HostedFile[]): RegistryAnswer {
  return page(
    `Links for ${name}`,
    files.map(({ path, fileName, file }) => ({
      href: `../../packages/${path.split('/').map(encodeURIComponent).join('/')}#${file.digest.replace(':', '=')}`,
      text: fileName,
    })),
  );
}

function page(title: string, links: readonly { href: string; text: string }[]): RegistryAnswer {
  const lines = links.map(({ href, text }) => `    <a href="${escaped(href)}">${escaped(text)}</a><br/>\n`);
  const html = `<!DOCTYPE html>
<html>
  <head>
    <meta name="pypi:repository-version" content="1.0">
    <title>${escaped(title)}</title>
  </head>
  <body>
    <h1>${escaped(title)}</h1>
${lines.join('')}  </body>
</html>
`;
  const about = {
    contentType: 'text/html; charset=utf-8',
    fileName: 'index.html',
    disposition: 'inline',
  } as const;
  return { representation: textRepresentation(html, about) };
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
