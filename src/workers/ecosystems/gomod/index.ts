import type { Ecosystem } from '../ecosystem.ts';
import { locks } from './describe.ts';
import { detect } from './detect.ts';
import { resolve } from './resolve.ts';
import { isIdle } from './source-modules.ts';

export const gomod: Ecosystem = { name: 'gomod', detect, locks, isIdle, resolve };
