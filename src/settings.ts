import type { Environment } from './variables.ts';

/** Set by the build to what `settings/` has for the function. */
declare const BUNDLED_SETTINGS: Readonly<Record<string, string>> | undefined;

const settings = typeof BUNDLED_SETTINGS === 'object' ? BUNDLED_SETTINGS : {};

/** A variable of the process, else the setting that the build bundled. */
export const processEnvironment: Environment = (name) => process.env[name] ?? settings[name];
