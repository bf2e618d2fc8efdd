/** `npm run docs`: writes the tables of docs/configuration.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { withVariableTables } from './variable-tables.ts';

const page = new URL('../docs/configuration.md', import.meta.url);
writeFileSync(page, withVariableTables(readFileSync(page, 'utf8')));
