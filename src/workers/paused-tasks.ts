import { listPausedTasks, PAUSES } from '../domain/database/sql/paused-tasks.ts';
import { TASKS, type TaskName, taskFlag } from '../domain/queue/tasks.ts';
import type { WorkerContext } from './worker-context.ts';

/** Which tasks are paused now. Until the first look has come back, as far as is known none. */
export class PausedTasks {
  readonly #context: WorkerContext;
  readonly #end = new AbortController();
  #tasks = new Set<TaskName>();
  #following: Promise<void> = Promise.resolve();

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  async start(): Promise<void> {
    await this.#look();
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#following;
  }

  has(task: TaskName): boolean {
    return this.#tasks.has(task);
  }

  /** The queue passes over jobs with any of these. */
  get flags(): string[] {
    return [...this.#tasks].map(taskFlag);
  }

  async #look(): Promise<never[]> {
    const paused = new Set((await listPausedTasks(this.#context.database.sql)).map(({ task }) => task));
    const { logger } = this.#context;
    for (const task of TASKS) {
      if (paused.has(task) === this.#tasks.has(task)) continue;
      logger.info({ task }, paused.has(task) ? 'task paused' : 'task resumed');
    }
    this.#tasks = paused;
    return [];
  }

  async #follow(): Promise<void> {
    const look = () =>
      this.#look().catch((error: unknown) => {
        this.#context.logger.warn({ err: error }, 'pauses could not be read');
        return [];
      });
    for await (const _ of this.#context.hub.follow(PAUSES, this.#end.signal, look)) {
      // Nothing is yielded: looking is all there is to do.
    }
  }
}
