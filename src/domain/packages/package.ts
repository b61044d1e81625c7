/** The package managers that a request may name, in the order in which results are reported (cachito.md 1.6). */
export const PACKAGE_MANAGERS = ['gomod', 'npm', 'pip', 'git-submodule', 'yarn', 'rubygems'] as const;
export type PackageManager = (typeof PACKAGE_MANAGERS)[number];

export type PackageType = 'gomod' | 'go-package' | 'npm' | 'pip' | 'git-submodule' | 'yarn' | 'rubygems';

/** What a request says about one package: a directory of the source and the manager's own keys. */
export interface PackageOptions {
  /** Relative to the source root, normalised, `.` for the root. */
  path: string;
  /** pip only; relative to `path`. Absent: `requirements.txt` if present. */
  requirementsFiles?: string[];
  /** pip only; relative to `path`. Absent: `requirements-build.txt` if present. */
  requirementsBuildFiles?: string[];
  /** pip, own interface only: which wheels to take besides or instead of sdists (prefetch.md 5.2). */
  binary?: WheelSelection;
}

/** Filter fields as in prefetch.md 5.2; every list is comma separated text, as users write it. */
export interface WheelSelection {
  /** `:all:` or names, comma separated. */
  packages?: string;
  arch?: string;
  os?: string;
  pyVersion?: string;
  pyImpl?: string;
  abi?: string;
  /** Regular expression over platform tags; replaces arch and os. */
  platform?: string;
}

export interface PackageName {
  type: PackageType;
  name: string;
  version: string | null;
}

/** A dependency as reported (cachito.md 1.6). `dev` is absent for Go and RubyGems. */
export interface Dependency extends PackageName {
  dev?: boolean;
  replaces: PackageName | null;
}

/** A package of the source itself, with everything it needs. */
export interface ResolvedPackage extends PackageName {
  /** Relative to the source root; `.` for the root. */
  path: string;
  dev?: boolean;
  dependencies: Dependency[];
}

export interface DependencyReplacement {
  name: string;
  type: PackageType;
  version: string;
  newName?: string;
}

/** cachito.md 3.4. */
export const FLAGS = [
  'cgo-disable',
  'force-gomod-tidy',
  'gomod-vendor',
  'gomod-vendor-check',
  'include-git-dir',
  'offline-bundle',
  'remove-unsafe-symlinks',
] as const;
export type Flag = (typeof FLAGS)[number];
