import { canonicalName } from '../packages/python-project-name.ts';
import type { BundledFile, BundledFiles } from './bundled-files.ts';

/** The archives of a request's pip dependencies: releases by project, and what came from elsewhere (prefetch.md 5.1). */
export interface PythonProjects {
  /** By canonical name, sorted; files by their names. */
  projects: ReadonlyMap<string, readonly HostedFile[]>;
  /** The same files by their paths. */
  hosted: ReadonlyMap<string, BundledFile>;
  /** Archives of git and URL dependencies by their bundle path below `deps/pip/`. */
  direct: ReadonlyMap<string, BundledFile>;
}

export interface HostedFile {
  /** Below `deps/pip/`: `<name as in the file>/<file name>`. */
  path: string;
  fileName: string;
  file: BundledFile;
}

const ROOT = 'deps/pip/';
const INDEX_PAGE = `${ROOT}index.html`;

export function arrangePython(files: BundledFiles): PythonProjects {
  const projects = new Map<string, HostedFile[]>();
  const hosted = new Map<string, BundledFile>();
  const direct = new Map<string, BundledFile>();
  for (const file of files.values()) {
    if (!file.path.startsWith(ROOT) || file.path === INDEX_PAGE) continue;
    const path = file.path.slice(ROOT.length);
    const project = projectAt(path);
    if (project === null) {
      direct.set(path, file);
      continue;
    }
    const fileName = path.slice(path.indexOf('/') + 1);
    hosted.set(path, file);
    projects.set(project, [...(projects.get(project) ?? []), { path, fileName, file }]);
  }
  const sorted = [...projects].sort(([a], [b]) => (a < b ? -1 : 1));
  return { projects: new Map(sorted), hosted, direct };
}

/** Files of releases are named after their folder; those of URL dependencies lie in `external-<name>`. */
function projectAt(path: string): string | null {
  const [folder = '', fileName, ...deeper] = path.split('/');
  if (fileName === undefined || deeper.length > 0) return null;
  const project = canonicalName(folder);
  return canonicalName(fileName).startsWith(`${project}-`) ? project : null;
}
