/** `npm run build`: a bundle and a zip for each function, byte for byte the same for the same sources. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import {
  type BuildOptions as BuildBundle,
  type CommonOptions,
  build as esbuild,
  type Metafile,
  type Plugin,
  transform,
} from 'esbuild';
import { type Zippable, zipSync } from 'fflate';
import { certificatesIn, describeCertificates } from './build/certificates.ts';
import { BuildRefused } from './build/refused.ts';
import { filesOf, settingsOf } from './build/settings.ts';
import { tableOf } from './build/table.ts';
import { withTransaction } from './build/users-transaction.ts';
import { pemOf } from './src/certificate-reader.ts';

const root = fileURLToPath(new URL('.', import.meta.url));
const FUNCTIONS = join(root, 'functions');
const CERTIFICATES = join(root, 'certificates');
const SETTINGS = join(root, 'settings');
/** The folder in `functions/` that the user rewrites. */
const PIPELINE = join(FUNCTIONS, 'consume-batch', 'pipeline');
/** Zip's number for a system with Unix file modes. */
const UNIX = 3;
/** A fixed time makes builds comparable; zip files can't hold an earlier one. */
const EPOCH = new Date(1980, 0, 1);

export interface BuildOptions {
  /** Folders in `functions/`; default: every one that is a function. */
  functions?: readonly string[];
  outdir?: string;
  /** A folder with certificates: PEM, DER, PKCS7, PKCS12, JKS. */
  certificates?: string;
  /** A folder with `common.env` and `<function>.env`. */
  settings?: string;
  /** A folder with another pipeline than the user's. */
  pipeline?: string;
}

export interface BuiltFunction {
  /** Its folder in `functions/`. */
  source: string;
  /** Of the artefact. */
  name: string;
  /** Holds `index.js`, `package.json`, and what `file:` settings name. */
  directory: string;
  zip: string;
  /** Sizes in bytes: the scripts that are loaded at its start, the same compressed by gzip, the zip. */
  bytes: { bundle: number; gzip: number; zip: number };
}

/** Bundles the functions into `outdir`, where it replaces their folders. */
export async function build({
  functions = functionSources(),
  outdir = join(root, 'dist'),
  certificates = CERTIFICATES,
  settings = SETTINGS,
  pipeline = PIPELINE,
}: BuildOptions = {}): Promise<BuiltFunction[]> {
  const trusted = pemOf((await certificatesIn(certificates)).map(({ certificate }) => certificate));
  const bundled = await settingsOf(functionSources(), settings);
  return Promise.all(
    functions.map((source) =>
      buildFunction(source, { outdir, trusted, settings: bundled.get(source) ?? {}, pipeline }),
    ),
  );
}

/** The file that starts an HTTP function, with the mode of an executable. */
async function executable(path: string): Promise<Zippable> {
  if (!existsSync(path)) return {};
  return { bootstrap: [await readFile(path), { os: UNIX, attrs: 0o100755 << 16 }] };
}

/** The folders in `functions/` that are functions: ours, and the user's. */
export function functionSources(): string[] {
  return readdirSync(FUNCTIONS).filter(isFunctionSource).sort();
}

export function isFunctionSource(name: string): boolean {
  return existsSync(join(FUNCTIONS, name, 'index.ts'));
}

/** The platform calls a function that is a server an HTTP function. */
export function artefactName(source: string): string {
  return source === 'http' ? 'http-function' : source;
}

interface Ingredients {
  outdir: string;
  /** PEM. */
  trusted: string;
  settings: Readonly<Record<string, string>>;
  pipeline: string;
}

async function buildFunction(
  source: string,
  { outdir, trusted, settings, pipeline }: Ingredients,
): Promise<BuiltFunction> {
  const folder = join(FUNCTIONS, source);
  const scripts = await bundle(folder, {
    define: {
      BUNDLED_CERTIFICATES: JSON.stringify(trusted),
      BUNDLED_SETTINGS: JSON.stringify(JSON.stringify(settings)),
    },
    plugins: [insteadOf(PIPELINE, pipeline), await withTransaction(pipeline)],
  });
  // The platform loads the bundle with `require`, and a `"type": "module"` in a folder above would prevent that.
  const packageJson = Buffer.from('{"type":"commonjs"}\n');
  const files: Record<string, Uint8Array> = { 'package.json': packageJson };
  for (const { file, code } of scripts) files[file] = Buffer.from(code);
  for (const path of filesOf(settings)) files[path] = await readFile(join(root, path));
  const zip = zipSync(
    { ...files, ...(await executable(join(folder, 'bootstrap'))) },
    { level: 9, mtime: EPOCH },
  );

  const name = artefactName(source);
  const directory = join(outdir, name);
  await rm(directory, { recursive: true, force: true });
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  await writeFile(`${directory}.zip`, zip);
  for (const { file, map } of scripts) {
    await writeFile(file === 'index.js' ? `${directory}.js.map` : `${directory}.${file}.map`, map);
  }
  const atStart = Buffer.from(scripts.map(({ code, isLate }) => (isLate ? '' : code)).join(''));
  const bytes = { bundle: atStart.length, gzip: gzipSync(atStart).length, zip: zip.length };
  return { source, name, directory, zip: `${directory}.zip`, bytes };
}

interface Script {
  file: string;
  code: string;
  /** Loaded when it is needed, not with the first one. */
  isLate: boolean;
  /** Beside the zip, for `npm run stack`; nothing in the script names it. */
  map: string;
}

const common = {
  platform: 'node',
  target: 'node20.15',
  minify: true,
  legalComments: 'none',
  sourcesContent: false,
} as const satisfies CommonOptions;

/** esbuild gives a CommonJS library that `import()` loads a default export alone; in Node.js it has its members, too. */
const WITH_NAMES = 'module.exports={...module.exports.default,...module.exports,__esModule:true};\n';

/**
 * `index.js`, and a file of its own for what `import()` loads when it is needed. esbuild splits modules alone, and the
 * platform loads CommonJS, so that each file is made from a module.
 */
async function bundle(folder: string, options: Pick<BuildBundle, 'define' | 'plugins'>): Promise<Script[]> {
  const { outputFiles, metafile } = await esbuild({
    ...common,
    ...options,
    entryPoints: [join(folder, 'index.ts')],
    absWorkingDir: root,
    bundle: true,
    splitting: true,
    format: 'esm',
    sourcemap: 'inline',
    outdir: '.',
    metafile: true,
    write: false,
  });
  const early = loadedWith('index.js', metafile);
  return Promise.all(
    outputFiles.map(async ({ path, text }) => {
      const file = basename(path);
      const { code, map } = await transform(text, {
        ...common,
        format: 'cjs',
        sourcemap: 'external',
        // import() would take the file for CommonJS that was never a module, and its exports for the default one.
        supported: { 'dynamic-import': false },
      });
      const { entryPoint = '' } = metafile.outputs[file] ?? {};
      const isCommonJs = metafile.inputs[entryPoint]?.format === 'cjs';
      return {
        file,
        code: isCommonJs ? code + WITH_NAMES : code,
        isLate: !early.has(file),
        map: JSON.stringify({ ...JSON.parse(map), file }),
      };
    }),
  );
}

/** A script and those that it loads at once, which hold what it shares with late ones. */
function loadedWith(file: string, metafile: Metafile, known = new Set<string>()): Set<string> {
  known.add(file);
  for (const { path, kind } of metafile.outputs[file]?.imports ?? []) {
    if (kind === 'import-statement' && path in metafile.outputs && !known.has(path)) {
      loadedWith(path, metafile, known);
    }
  }
  return known;
}

function printSizes(built: readonly BuiltFunction[]): void {
  const rows = built.map(({ name, bytes: { bundle, gzip, zip } }) => [
    name,
    ...[bundle, gzip, zip].map((bytes) => bytes.toLocaleString('en')),
  ]);
  console.log(tableOf([['function', 'at start', 'at start, gzip', 'zip'], ...rows]));
}

/** Takes the files of one folder from another. */
function insteadOf(folder: string, other: string): Plugin {
  return {
    name: 'instead-of',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const wanted = join(resolveDir, path);
        return dirname(wanted) === folder ? { path: join(other, basename(wanted)) } : undefined;
      });
    },
  };
}

async function printCertificates(): Promise<void> {
  const bundled = await certificatesIn(CERTIFICATES);
  for (const line of describeCertificates(bundled)) console.log(`certificates/${line}`);
  if (bundled.length > 0) return;
  console.warn(
    'certificates/ is empty: over TLS only brokers with a certificate of a public authority pass.',
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await printCertificates();
    printSizes(await build());
  } catch (error) {
    if (!(error instanceof BuildRefused)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
