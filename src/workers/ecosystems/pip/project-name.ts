/** How Python projects are named, two ways; the third, PEP 503's, is src/domain/packages/python-project-name.ts. */

/** setuptools' `safe_name`: runs of anything but letters, digits and dots become one dash. */
export function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9.]+/g, '-');
}

/** PEP 508: what a requirement may be called. */
export function isProjectName(name: string): boolean {
  return /^[A-Za-z0-9]$|^[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]$/.test(name);
}
