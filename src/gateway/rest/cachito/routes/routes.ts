import type { CachitoRoute } from '../route.ts';
import { submitRequest } from './submit-request.ts';

/** Every call of the dialect (cachito.md 1.3). */
export const ROUTES: readonly CachitoRoute[] = [submitRequest];
