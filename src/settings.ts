import type { Environment } from './variables.ts';

/** The build sets it to the function's part of `settings/`. */
declare const BUNDLED_SETTINGS: Readonly<Record<string, string>> | undefined;

const isBundle = typeof BUNDLED_SETTINGS === 'object';
const settings = isBundle ? BUNDLED_SETTINGS : {};

/** The folder for `file:` values: beside the bundle, or the checkout in which npm runs. */
export const bundleFolder = isBundle ? __dirname : '.';

/** A variable of the process, else the bundled setting. */
export const processEnvironment: Environment = (name) => process.env[name] ?? settings[name];
