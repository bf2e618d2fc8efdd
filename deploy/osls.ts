/** The parts of osls (https://github.com/oss-serverless/osls) that a provider plugin uses. */
import type { ServerlessFile } from './serverless-file.ts';

export interface Serverless {
  serviceDir: string;
  configurationFilename?: string;
  service: {
    service: string;
    provider: ServerlessFile['provider'] & { name: string; stage?: string; certificates?: string };
    functions: Record<string, { package?: { artifact?: string } }>;
    package: { artifact?: string; path?: string };
  };
  /** What was typed: `['deploy', 'function']`. */
  processedInput: { commands: readonly string[] };
  classes: { Error: new (message: string, code?: string) => Error };
}

export interface Options {
  stage?: string;
  region?: string;
  function?: string;
  path?: string;
  data?: string;
  raw?: boolean;
  force?: boolean;
  package?: string;
  terraform?: boolean;
  'dry-run'?: boolean;
  'update-config'?: boolean;
  'move-group'?: boolean;
  tail?: boolean;
  startTime?: string;
  filter?: string;
  interval?: string;
}

export interface Output {
  writeText(text: string): void;
  log: { notice: Log; warning: Log; error: Log } & Log;
  progress: { create(options: { message: string }): { update(message: string): void; remove(): void } };
}

type Log = (message?: string) => void;
