import type { Ecosystem } from '../ecosystem.ts';
import { detect } from './detect.ts';
import { resolve } from './resolve.ts';

export const gitSubmodule: Ecosystem = { name: 'git-submodule', detect, resolve };
