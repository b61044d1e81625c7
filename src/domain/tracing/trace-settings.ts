import { InvalidInputError } from '../errors.ts';
import { count, oneOf } from '../settings/values.ts';

/**
 * Variables of the OpenTelemetry specification ("Environment Variable Specification") that the tracing library leaves to
 * whoever uses it; those of the exporter and of the resource it reads itself.
 */
export interface TraceSettings {
  sampler: SamplerName;
  /** Of the traces that begin here, how many are kept: 0 to 1. */
  ratio: number;
  /** What is unset is as the library has it. */
  batches: Partial<Record<(typeof BATCH_VARIABLES)[keyof typeof BATCH_VARIABLES], number>>;
}

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
type SamplerName = (typeof SAMPLERS)[number];

const BATCH_VARIABLES = {
  OTEL_BSP_SCHEDULE_DELAY: 'scheduledDelayMillis',
  OTEL_BSP_EXPORT_TIMEOUT: 'exportTimeoutMillis',
  OTEL_BSP_MAX_QUEUE_SIZE: 'maxQueueSize',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 'maxExportBatchSize',
} as const;

/** Throws InvalidInputError. */
export function readTraceSettings(environment: Record<string, string | undefined>): TraceSettings {
  const read = <T>(name: string, parse: (text: string, name: string) => T, fallback: T): T => {
    const text = environment[name] ?? '';
    return text === '' ? fallback : parse(text, name);
  };
  const batches: TraceSettings['batches'] = {};
  for (const [name, option] of Object.entries(BATCH_VARIABLES)) {
    const value = read(name, count(1), null);
    if (value !== null) batches[option] = value;
  }
  return {
    sampler: read<SamplerName>('OTEL_TRACES_SAMPLER', oneOf(SAMPLERS), 'parentbased_always_on'),
    ratio: read('OTEL_TRACES_SAMPLER_ARG', ratio, 1),
    batches,
  };
}

function ratio(text: string, name: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidInputError(`${name} must be a number from 0 to 1, not "${text}"`);
}
