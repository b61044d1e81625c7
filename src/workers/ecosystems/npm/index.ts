import type { Ecosystem } from '../ecosystem.ts';
import { locks } from './describe.ts';
import { detect } from './detect.ts';
import { resolve } from './resolve.ts';

export const npm: Ecosystem = { name: 'npm', detect, locks, resolve };
