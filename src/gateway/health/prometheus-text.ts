/** One metric of the Prometheus text format, with a sample for each set of labels. */
export interface MetricFamily {
  name: string;
  type: 'counter' | 'gauge' | 'histogram' | 'summary';
  help: string;
  samples: Sample[];
}

interface Sample {
  /** Of a histogram: `_bucket`, `_sum` or `_count`; of a summary the last two. */
  suffix?: string;
  labels?: Record<string, string>;
  value: number;
}

export function prometheusText(families: readonly MetricFamily[]): string {
  return families.map(familyText).join('\n');
}

function familyText({ name, type, help, samples }: MetricFamily): string {
  const lines = samples.map(
    ({ suffix = '', labels = {}, value }) => `${name}${suffix}${labelText(labels)} ${value}\n`,
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

const COUNTER = /^([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_][a-z0-9_]*="[^"\\\n]*",?)*)\})?$/;

/** Counters by name with labels, as workers keep them, by family; what is no such name is left out. */
export function counterFamilies(
  counters: Record<string, number>,
  helpOf: (name: string) => string,
): MetricFamily[] {
  const families = new Map<string, MetricFamily>();
  for (const [key, value] of Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [, name, labels = ''] = COUNTER.exec(key) ?? [];
    if (name === undefined) continue;
    const family = families.get(name) ?? { name, type: 'counter', help: helpOf(name), samples: [] };
    families.set(name, family);
    const pairs = [...labels.matchAll(/([a-z_][a-z0-9_]*)="([^"]*)"/g)].map(([, label, text]) => [
      label,
      text,
    ]);
    family.samples.push({ labels: Object.fromEntries(pairs) as Record<string, string>, value });
  }
  return [...families.values()];
}
