import type { Environment } from './variables.ts';

/** Set by the build to what `settings/` has for the function. */
declare const BUNDLED_SETTINGS: Readonly<Record<string, string>> | undefined;

const isBundle = typeof BUNDLED_SETTINGS === 'object';
const settings = isBundle ? BUNDLED_SETTINGS : {};

/** Where the files lie that `file:` values name: beside the bundle, else in the checkout that npm runs in. */
export const bundleFolder = isBundle ? __dirname : '.';

/** A variable of the process, else the setting that the build bundled. */
export const processEnvironment: Environment = (name) => process.env[name] ?? settings[name];
