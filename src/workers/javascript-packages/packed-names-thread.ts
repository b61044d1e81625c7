import { parentPort, workerData } from 'node:worker_threads';
import packlist from 'npm-packlist';

// The thread of packed-names.ts.
parentPort!.postMessage(await packlist(workerData as Parameters<typeof packlist>[0]));
