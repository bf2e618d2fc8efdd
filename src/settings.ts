import type { Environment } from './variables.ts';

/** The build sets it to the function's part of `settings/`. */
declare const BUNDLED_SETTINGS: string | undefined;

const isBundle = typeof BUNDLED_SETTINGS === 'string';
const settings: Readonly<Record<string, string>> = isBundle ? JSON.parse(BUNDLED_SETTINGS) : {};

/** The folder for `file:` values: beside the bundle, or the checkout in which npm runs. */
export const bundleFolder = isBundle ? __dirname : '.';

/** A variable of the process, else the bundled setting. */
export const processEnvironment: Environment = (name) => process.env[name] ?? settings[name];
