import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withProgress } from '../console.ts';
import { findJava, hashOf, OWN_CLUSTER } from './java.ts';
import { copyJars } from './maven.ts';
import { type OldVersion, oldReleases } from './releases.ts';
import { temporarySibling } from './temporary.ts';

const run = promisify(execFile);

const POM = fileURLToPath(new URL('./pom.xml', import.meta.url));
const OLD_POM = fileURLToPath(new URL('./old-pom.xml', import.meta.url));

export interface Distribution {
  /** Of Apache Kafka, such as 4.3.1. */
  version: string;
  /** The Java executable. */
  java: string;
  /** Names the Java build: an archive of classes fits one build only. */
  javaId: string;
  directory: string;
  classpath: string;
  /**
   * What formatting a metadata log directory writes beside meta.properties: the release's feature levels. Old releases,
   * which keep their metadata in ZooKeeper, have none.
   */
  bootstrapCheckpoint: string | undefined;
}

/** By version; `undefined` is that of pom.xml. */
const prepared = new Map<OldVersion | undefined, Promise<Distribution>>();

/**
 * The jars of Apache Kafka, or of an old release and its ZooKeeper, and the Java that runs them: fetched with
 * Maven the first time and kept in `KAFKA_FUNCTIONS_CACHE`, else in `kafka-functions` under `XDG_CACHE_HOME` or
 * `~/.cache`. Rejects with one sentence that names the remedy when Java or, for the first fetch, Maven is missing.
 */
export function kafkaDistribution(oldVersion?: OldVersion): Promise<Distribution> {
  const known = prepared.get(oldVersion);
  if (known) return known;
  const preparing = prepare(oldVersion).catch((error: unknown) => {
    prepared.delete(oldVersion);
    throw error;
  });
  prepared.set(oldVersion, preparing);
  return preparing;
}

async function prepare(oldVersion: OldVersion | undefined): Promise<Distribution> {
  const artefacts = oldVersion ? await oldArtefacts(oldVersion) : await currentArtefacts();
  const { version, megabytes, hash } = artefacts;
  const { java, javaId } = await findJava();
  const directory = join(cacheRoot(), `kafka-${version}-${hash}`);
  if (!existsSync(directory)) {
    await withProgress(`Fetching Apache Kafka ${version} (${megabytes} MB, once)`, () =>
      fill(directory, artefacts, java),
    );
  }
  const classpath = await classpathOf(directory);
  const bootstrapCheckpoint = oldVersion ? undefined : checkpointIn(directory);
  return { version, java, javaId, directory, classpath, bootstrapCheckpoint };
}

interface Artefacts {
  version: string;
  megabytes: number;
  pom: string;
  /** For the versions that the POM leaves open. */
  properties: readonly string[];
  /** Of everything that determines the jars. */
  hash: string;
  hasCheckpoint: boolean;
}

async function currentArtefacts(): Promise<Artefacts> {
  const pom = await readFile(POM, 'utf8');
  const version = /<kafka\.version>([^<]+)</.exec(pom)?.[1];
  if (!version) throw new Error(`${POM} names no kafka.version`);
  return { version, megabytes: 54, pom: POM, properties: [], hash: hashOf(pom), hasCheckpoint: true };
}

async function oldArtefacts(version: OldVersion): Promise<Artefacts> {
  const { scala, zookeeper } = oldReleases[version];
  const versions = { kafka: version, scala, zookeeper };
  const properties = Object.entries(versions).map(([name, value]) => `-D${name}.version=${value}`);
  const hash = hashOf((await readFile(OLD_POM, 'utf8')) + properties);
  return { version, megabytes: 40, pom: OLD_POM, properties, hash, hasCheckpoint: false };
}

/** Fills a temporary directory and renames it, so that `directory` is always complete. */
async function fill(directory: string, artefacts: Artefacts, java: string): Promise<void> {
  const temporary = await temporarySibling(directory);
  await mkdir(temporary);
  try {
    const { pom, properties } = artefacts;
    const jars = { product: 'Apache Kafka', pom, properties, otherwise: OWN_CLUSTER };
    await copyJars(join(temporary, 'lib'), jars);
    if (artefacts.hasCheckpoint) await writeBootstrapCheckpoint(temporary, java);
    await rename(temporary, directory).catch((error: unknown) => {
      // Another process was quicker, and has put the same there.
      if (!existsSync(directory)) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * Formats a directory once with Kafka's own tool. The checkpoint it writes belongs to the release, not to a
 * cluster, so every later cluster is formatted by copying it, without a Java process of 2 s a broker.
 */
async function writeBootstrapCheckpoint(directory: string, java: string): Promise<void> {
  const work = join(directory, 'format');
  const properties = [
    'process.roles=controller',
    'node.id=1',
    'controller.quorum.voters=1@127.0.0.1:1',
    'controller.listener.names=CONTROLLER',
    'listeners=CONTROLLER://127.0.0.1:1',
    `log.dirs=${join(work, 'data').replaceAll('\\', '/')}`,
  ];
  await mkdir(work);
  await writeFile(join(work, 'server.properties'), properties.join('\n'));
  await run(java, [
    '-cp',
    await classpathOf(directory),
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    randomClusterId(),
    '--config',
    join(work, 'server.properties'),
  ]);
  await rename(join(work, 'data', 'bootstrap.checkpoint'), checkpointIn(directory));
  await rm(work, { recursive: true });
}

/** 16 random bytes as Kafka writes them. A leading dash would be taken for an option on a command line. */
export function randomClusterId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? randomClusterId() : id;
}

/** Of the jars in the directory's `lib`. */
export async function classpathOf(directory: string): Promise<string> {
  const lib = join(directory, 'lib');
  const jars = (await readdir(lib)).filter((name) => name.endsWith('.jar')).sort();
  return jars.map((name) => join(lib, name)).join(delimiter);
}

function checkpointIn(directory: string): string {
  return join(directory, 'bootstrap.checkpoint');
}

/** The cache of downloads, outside the work tree. */
export function cacheRoot(): string {
  const own = process.env.KAFKA_FUNCTIONS_CACHE;
  if (own) return own;
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'kafka-functions');
}
