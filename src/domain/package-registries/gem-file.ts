import { parseDocument } from 'yaml';
import { readGemMetadata } from '../packages/gem-metadata.ts';
import type { FactsReader } from './file-facts.ts';

/** What the compact index tells about a gem, besides its digest. */
export interface GemFacts {
  /** Of the runtime, sorted by name. */
  dependencies: { name: string; requirements: string[] }[];
  requiredRuby: string[];
  requiredRubygems: string[];
}

const NOTHING: GemFacts = { dependencies: [], requiredRuby: [], requiredRubygems: [] };

export const gemFile: FactsReader<GemFacts> = {
  name: 'gem-1',
  async read(file) {
    try {
      return readSpecification(await readGemMetadata(file));
    } catch {
      // Served as it is; Bundler says what is wrong with it.
      return NOTHING;
    }
  },
};

const SECTIONS = new Set(['dependencies', 'required_ruby_version', 'required_rubygems_version']);

/** A specification has lists of thousands of files, too: only the parts that matter are read as YAML. */
function readSpecification(yaml: string): GemFacts {
  let isWanted = false;
  const lines = yaml.split(/\r?\n/).filter((line) => {
    const [, key] = /^([a-z_]+):/.exec(line) ?? [];
    if (key !== undefined) isWanted = SECTIONS.has(key);
    return isWanted;
  });
  // Everything is text there: 1.10 is no number.
  const options = { schema: 'failsafe', logLevel: 'silent', strict: false, uniqueKeys: false } as const;
  const found = asObject(parseDocument(lines.join('\n'), options).toJS());
  return {
    dependencies: asList(found.dependencies)
      .map(asObject)
      .filter(({ name, type }) => isName(name) && type !== ':development')
      .map(({ name, requirement, version_requirements: older }) => ({
        name: name as string,
        requirements: requirementsOf(requirement ?? older),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    requiredRuby: requirementsOf(found.required_ruby_version),
    requiredRubygems: requirementsOf(found.required_rubygems_version),
  };
}

/** `requirements` holds pairs of an operator and a version. */
function requirementsOf(requirement: unknown): string[] {
  const texts = asList(asObject(requirement).requirements).flatMap((pair) => {
    const [operator, version] = asList(pair);
    const text = `${String(operator)} ${String(asObject(version).version)}`;
    return /^(=|!=|>|<|>=|<=|~>) [0-9A-Za-z.-]+$/.test(text) ? [text] : [];
  });
  return texts.length === 0 ? ['>= 0'] : texts;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[\w.-]+$/.test(value);
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
