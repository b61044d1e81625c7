/** How Python projects are named, three ways. */

/** PEP 503: the name under which an index knows a project. */
export function canonicalName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

/** setuptools' `safe_name`: runs of anything but letters, digits and dots become one dash. */
export function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9.]+/g, '-');
}

/** PEP 508: what a requirement may be called. */
export function isProjectName(name: string): boolean {
  return /^[A-Za-z0-9]$|^[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]$/.test(name);
}
