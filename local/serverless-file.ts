/**
 * `serverless.yml` without osls, which needs a newer Node.js than the functions: its variables are resolved here, as
 * far as this project's file uses them (`env`, `opt`, `self`, `sls:stage`, `strToBool`, literals).
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { Deployment } from '../deploy/description.ts';
import { readDescription } from '../deploy/read-description.ts';
import type { ServerlessFile } from '../deploy/serverless-file.ts';
import { withStage } from '../deploy/stage.ts';
import type { Environment } from '../src/variables.ts';

/** Text in which commas and braces don't separate: quoted text, or a nested variable. */
const OPAQUE = String.raw`'[^']*'|"[^"]*"|\$\{(?:[^{}]|\$\{[^{}]*\})*\}`;
const VARIABLE = new RegExp(String.raw`\$\{((?:${OPAQUE}|[^{}'"])*)\}`, 'g');
const CANDIDATE = new RegExp(`(?:${OPAQUE}|[^,'"])+`, 'g');
/** Ends fallbacks that refer to each other forever. */
const MAX_DEPTH = 20;

export interface ReadFile {
  deployment: Deployment;
  /** The variables of the environment that the file asks for, set or not. */
  asked: ReadonlySet<string>;
  /** Variables that only osls resolves. Without a default they have no value here. */
  unresolved: readonly string[];
}

/**
 * The deployment of a stage, with the functions `more` added. A group that the file leaves open is the stage's own.
 * Throws if the file is not YAML, or for a variable that can't be resolved.
 */
export function readServerlessFile(
  path: string,
  environment: Environment,
  { stage = 'dev', more = [] }: { stage?: string; more?: readonly string[] } = {},
): ReadFile {
  const document: unknown = parse(readFileSync(path, 'utf8'));
  const resolver = new Resolver(document, environment, stage);
  const file = resolver.resolve(document) as ServerlessFile;
  const sources = Object.values(file.functions).map(({ source }) => source);
  const unlisted = more.filter((name) => !sources.includes(name)).map((name) => [name, {}]);
  const functions = { ...Object.fromEntries(unlisted), ...file.functions };
  const { deployment } = readDescription({ ...file, functions, stage });
  const { asked, unresolved } = resolver;
  return { deployment: withStage(deployment, new Map()), asked, unresolved: [...unresolved] };
}

class Resolver {
  readonly asked = new Set<string>();
  readonly unresolved = new Set<string>();
  readonly #document: unknown;
  readonly #environment: Environment;
  readonly #stage: string;

  constructor(document: unknown, environment: Environment, stage: string) {
    this.#document = document;
    this.#environment = environment;
    this.#stage = stage;
  }

  resolve(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return this.#text(value, depth);
    if (Array.isArray(value)) return value.map((item) => this.resolve(item, depth));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.resolve(item, depth)]));
  }

  /** A text that is only a variable becomes its value, of any type; in other texts variables are replaced. */
  #text(text: string, depth: number): unknown {
    if (depth > MAX_DEPTH) throw new Error(`serverless.yml: ${text} leads back to itself`);
    const [first] = text.matchAll(VARIABLE);
    if (!first) return text;
    if (first[0] === text) return this.#variable(first[1] ?? '', depth + 1);
    return text.replace(VARIABLE, (_all, inner: string) => `${this.#variable(inner, depth + 1) ?? ''}`);
  }

  /** The first candidate that has a value, else null. */
  #variable(text: string, depth: number): unknown {
    for (const [candidate] of text.matchAll(CANDIDATE)) {
      const value = this.#candidate(candidate.trim(), depth);
      if (value !== undefined && value !== null) return value;
    }
    return null;
  }

  #candidate(text: string, depth: number): unknown {
    const quoted = /^(['"])(.*)\1$/s.exec(text);
    if (quoted) return this.#text(quoted[2] ?? '', depth);
    if (/^(null|true|false|-?\d+(\.\d+)?)$/.test(text)) return JSON.parse(text);
    const boolean = /^strToBool\((.*)\)$/s.exec(text);
    if (boolean) return isTrue(this.#text(boolean[1] ?? '', depth));
    if (text.startsWith('${')) return this.#text(text, depth);
    const [, source, address = ''] = /^(\w+):(.*)$/s.exec(text) ?? [];
    const name = String(this.#text(address, depth));
    if (source === 'env') {
      this.asked.add(name);
      return this.#environment(name);
    }
    if (source === 'opt') return name === 'stage' ? this.#stage : undefined;
    if (source === 'self') return this.resolve(memberOf(this.#document, name.split('.')), depth);
    if (source === 'sls' && name === 'stage') return this.#stage;
    this.unresolved.add(text);
    return undefined;
  }
}

function memberOf(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], value);
}

/** As osls reads it. */
function isTrue(value: unknown): boolean {
  const text = String(value).toLowerCase();
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new Error(`serverless.yml: strToBool takes true, false, 1 and 0, and got "${text}"`);
}
