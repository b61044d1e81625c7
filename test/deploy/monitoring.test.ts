import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Database } from '../../src/domain/database/database.ts';
import { insertWorker, updateHeartbeat } from '../../src/domain/database/sql/workers.ts';
import { registerHealth } from '../../src/gateway/health/register-health.ts';
import { testDatabase } from '../support/database.ts';
import { MemoryBlobStore } from '../support/memory-blob-store.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const OPERATIONS = join(import.meta.dirname, '../../docs/operations.md');

interface Rules {
  groups: {
    rules: {
      alert: string;
      expr: string;
      labels: { severity: string };
      annotations: { summary: string; runbook: string };
    }[];
  }[];
}
interface Panel {
  title: string;
  type: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; legendFormat: string }[];
}

const { rules } = (parse(readFileSync(join(DEPLOY, 'prometheus/rules.yml'), 'utf8')) as Rules).groups[0]!;
const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana/stowage.json'), 'utf8')) as {
  panels: Panel[];
};

/** Made by whoever scrapes. */
const OF_PROMETHEUS: Record<string, string[]> = { up: [] };
const OF_EVERY_TARGET = ['job', 'instance'];

/** Names of metrics in an expression, each with the labels that are asked of it. */
function metricsOf(expression: string): { name: string; labels: Record<string, string> }[] {
  const found = expression.matchAll(
    /\b((?:stowage|process|nodejs|cachito)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?/g,
  );
  return [...found].map(([, name = '', selector = '']) => ({
    name,
    labels: Object.fromEntries(
      [...selector.matchAll(/(\w+)(?:=~|!=|!~|=)"([^"]*)"/g)].map(([, label, value]) => [label!, value!]),
    ),
  }));
}

/** Labels by which an expression groups. */
function groupedBy(expression: string): string[] {
  return [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
}

describe('alerts and dashboard ask for what there is', () => {
  let database: Database;
  let app: FastifyInstance;
  /** Labels of each series that a gateway shows, by name. */
  const series = new Map<string, Record<string, string>[]>();

  beforeAll(async () => {
    database = await testDatabase();
    const id = `${'1'.repeat(8)}-0000-4000-8000-000000000000`;
    await insertWorker(database.sql, {
      id,
      host: 'h',
      pid: 1,
      poolIds: ['pool'],
      tasks: null,
      concurrency: 4,
    });
    const metrics = Object.fromEntries(
      ['downloads', 'download_bytes', 'download_cache_hits', 'download_retries', 'download_failures'].map(
        (name) => [`stowage_${name}_total`, 1],
      ),
    );
    await updateHeartbeat(database.sql, id, {
      metrics: {
        ...metrics,
        'stowage_jobs_total{task="fetch-source",outcome="failed"}': 1,
        'stowage_job_seconds_total{task="fetch-source"}': 1,
      },
      poolIds: ['pool'],
    });
    await database.sql.query(`insert into garbage_runs (state, finished_at) values ('complete', now())`);
    const blobs = Object.assign(new MemoryBlobStore(), { freeBytes: async () => 1 });
    app = Fastify();
    registerHealth(app, {
      database,
      blobs,
      logger: pino({ level: 'silent' }),
      certificateExpiresAt: new Date(0),
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
    // The first answer is counted in the second.
    await fetch(`${app.listeningOrigin}/metrics`).then((answer) => answer.text());
    const text = await (await fetch(`${app.listeningOrigin}/metrics`)).text();
    for (const [, name = '', labels = ''] of text.matchAll(/^([a-z_0-9]+)(?:\{(.*)\})? \S+$/gm)) {
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label!, value!]);
      series.set(name, [...(series.get(name) ?? []), Object.fromEntries(pairs)]);
    }
  });
  afterAll(async () => {
    await app.close();
    await database.close();
  });

  const expressions = [
    ...rules.map(({ alert, expr }) => [alert, expr] as const),
    ...dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => [title, expr] as const),
    ),
  ];

  test.each(expressions)('%s: %s', (_, expression) => {
    const metrics = metricsOf(expression);
    expect(metrics).not.toEqual([]);
    const labels = new Set(OF_EVERY_TARGET);
    for (const { name, labels: asked } of metrics) {
      const there = OF_PROMETHEUS[name] ? [{}] : (series.get(name) ?? []);
      expect(there, name).not.toEqual([]);
      for (const one of there) for (const label of Object.keys(one)) labels.add(label);
      for (const [label, value] of Object.entries(asked)) {
        if (OF_EVERY_TARGET.includes(label)) continue;
        expect(
          there.some((one) => label in one),
          `${name} has a label ${label}`,
        ).toBe(true);
        // Routes and their answers are there when somebody has asked for them.
        if (label === 'route' || label === 'status' || label === 'method') continue;
        const pattern = new RegExp(`^(?:${value})$`);
        expect(
          there.some((one) => pattern.test(one[label] ?? '')),
          `${name} has ${label}=${value}`,
        ).toBe(true);
      }
    }
    expect([...labels]).toEqual(expect.arrayContaining(groupedBy(expression)));
    for (const [open, close] of ['()', '{}', '[]']) {
      expect(expression.split(open!).length).toBe(expression.split(close!).length);
    }
  });

  test('every alert leads to a part of the documentation', () => {
    const titles = readFileSync(OPERATIONS, 'utf8').matchAll(/^#+ (.+)$/gm);
    const anchors = [...titles].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const { annotations, labels } of rules) {
      const [file, anchor] = annotations.runbook.split('#');
      expect(file).toBe('docs/operations.md');
      expect(anchors).toContain(anchor);
      expect(['warning', 'critical']).toContain(labels.severity);
    }
  });

  test('labels that a summary shows are those of its alert', () => {
    for (const { expr, annotations } of rules) {
      const shown = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!);
      const there = expr.startsWith('up{') ? OF_EVERY_TARGET : groupedBy(expr);
      expect(there).toEqual(expect.arrayContaining(shown));
    }
  });

  test('no panel lies over another', () => {
    const taken = new Set<string>();
    for (const { title, gridPos } of dashboard.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`), title).toBe(false);
          expect(x).toBeLessThan(24);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });
});
