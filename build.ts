/** `npm run build`: one bundle and one zip a function, byte for byte the same for the same sources. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build as esbuild } from 'esbuild';
import { type Zippable, zipSync } from 'fflate';

const root = fileURLToPath(new URL('.', import.meta.url));
/** The artefact of `functions/http`: what the platform calls a function that is a server. */
const HTTP_FUNCTION = 'http-function';
/** Zip's number for the system whose file modes its attributes are. */
const UNIX = 3;
/** What DMS documents for the `client.jks` in its certificate zip. */
const DMS_TRUSTSTORE_PASSWORD = 'dms@kafka';
/** Zip files can't hold an earlier moment; any fixed one makes builds comparable. */
const EPOCH = new Date(1980, 0, 1);

export interface BuildOptions {
  /** Default: every folder in `functions/` with an `index.ts`. */
  functions?: readonly string[];
  outdir?: string;
  /** A folder with `*.crt`, `*.pem` and `client.jks`. */
  certificates?: string;
}

export interface BuiltFunction {
  name: string;
  /** Holds `index.js` and `package.json`. */
  directory: string;
  zip: string;
  /** Sizes in bytes: the bundle, the bundle compressed by gzip, the zip. */
  bytes: { bundle: number; gzip: number; zip: number };
}

/** Bundles the functions into `outdir`; a function's folder there is replaced. */
export async function build({
  functions,
  outdir = join(root, 'dist'),
  certificates = join(root, 'certificates'),
}: BuildOptions = {}): Promise<BuiltFunction[]> {
  const names = functions ?? (await functionNames());
  const trusted = await bundledCertificates(certificates);
  return Promise.all(names.map((name) => buildFunction(name, outdir, trusted)));
}

/** What an HTTP function is started with, where there is one; its mode says that it may be run. */
async function executable(path: string): Promise<Zippable> {
  if (!existsSync(path)) return {};
  return { bootstrap: [await readFile(path), { os: UNIX, attrs: 0o100755 << 16 }] };
}

async function functionNames(): Promise<string[]> {
  const names = await readdir(join(root, 'functions'));
  const entries = names.filter((name) => existsSync(join(root, 'functions', name, 'index.ts'))).sort();
  return entries.map((name) => (name === 'http' ? HTTP_FUNCTION : name));
}

async function buildFunction(name: string, outdir: string, certificates: string): Promise<BuiltFunction> {
  const source = join(root, 'functions', name === HTTP_FUNCTION ? 'http' : name);
  const result = await esbuild({
    entryPoints: [join(source, 'index.ts')],
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20.15',
    format: 'cjs',
    minify: true,
    legalComments: 'none',
    define: { BUNDLED_CERTIFICATES: JSON.stringify(certificates) },
    write: false,
  });
  const index = result.outputFiles[0]?.contents ?? new Uint8Array();
  // The platform loads with `require`, and a `"type": "module"` somewhere above would stop it.
  const packageJson = Buffer.from('{"type":"commonjs"}\n');
  const zip = zipSync(
    { 'index.js': index, 'package.json': packageJson, ...(await executable(join(source, 'bootstrap'))) },
    { level: 9, mtime: EPOCH },
  );

  const directory = join(outdir, name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'index.js'), index);
  await writeFile(join(directory, 'package.json'), packageJson);
  await writeFile(`${directory}.zip`, zip);
  const bytes = { bundle: index.length, gzip: gzipSync(index).length, zip: zip.length };
  return { name, directory, zip: `${directory}.zip`, bytes };
}

/** The PEM text of all certificates in the folder, in the order of their files' names. */
async function bundledCertificates(directory: string): Promise<string> {
  const files = existsSync(directory) ? (await readdir(directory)).sort() : [];
  const texts = await Promise.all(
    files.map((file) => {
      const path = join(directory, file);
      if (/\.(crt|pem)$/.test(file)) return readFile(path, 'utf8');
      return file.endsWith('.jks') ? truststoreCertificates(path) : '';
    }),
  );
  const blocks = texts.join('\n').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  return [...new Set(blocks)].join('\n');
}

async function truststoreCertificates(path: string): Promise<string> {
  const { toPem } = await import('jks-js');
  const password = process.env.KAFKA_SSL_TRUSTSTORE_PASSWORD ?? DMS_TRUSTSTORE_PASSWORD;
  try {
    const entries = Object.values(toPem(await readFile(path), password));
    return entries.map((entry) => ('ca' in entry ? entry.ca : '')).join('\n');
  } catch (cause) {
    throw new Error(`${path} cannot be opened: is KAFKA_SSL_TRUSTSTORE_PASSWORD its password?`, { cause });
  }
}

function printSizes(built: readonly BuiltFunction[]): void {
  const rows = built.map(({ name, bytes: { bundle, gzip, zip } }) => ({
    function: name,
    'index.js': bundle,
    'index.js, gzip': gzip,
    zip,
  }));
  const columns = ['function', 'index.js', 'index.js, gzip', 'zip'] as const;
  const cells = [columns, ...rows.map((row) => columns.map((column) => row[column].toLocaleString('en')))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => String(row[i]).length)));
  for (const row of cells) {
    console.log(
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) printSizes(await build());
