// The provider `functiongraph` for osls, which loads it synchronously and without a compiler. It makes the TypeScript
// beside it loadable and calls commands.ts in osls's life cycle.
'use strict';

const { spawnSync } = require('node:child_process');
const { statSync } = require('node:fs');
const { join } = require('node:path');

const PROVIDER = 'functiongraph';
const root = join(__dirname, '..');

installDependencies();
const { commandOptions, providerSchema } = require('tsx/cjs/api').require('./schema.ts', __filename);

module.exports = class FunctionGraphPlugin {
  constructor(serverless, options, output) {
    serverless.setProvider(PROVIDER, this);
    serverless.configSchemaHandler.defineProvider(PROVIDER, providerSchema);
    this.commands = commandOptions;

    let commands;
    const run = (name) => async () => {
      commands ??= loadCommands().then((Commands) => new Commands(serverless, options, output));
      await (await commands).run(name);
    };
    this.hooks = {
      'before:package:createDeploymentArtifacts': run('package'),
      'before:deploy:deploy': run('checkReady'),
      'deploy:deploy': run('deploy'),
      'deploy:function:initialize': run('checkReady'),
      'deploy:function:packageFunction': run('package'),
      'deploy:function:deploy': run('deployFunction'),
      'remove:remove': run('remove'),
      'info:info': run('info'),
      'invoke:invoke': run('invoke'),
      'logs:logs': run('logs'),
    };
  }
};

async function loadCommands() {
  const { register } = await import('tsx/esm/api');
  register();
  return (await import('./commands.ts')).FunctionGraphCommands;
}

/** Lets `npx osls` work on a fresh clone, where nothing is installed yet. run.mjs installs, and says what fails. */
function installDependencies() {
  if (changedAt('node_modules/.package-lock.json') >= changedAt('package-lock.json')) return;
  const ready = [join(root, 'local', 'run.mjs'), join('deploy', 'ready.ts')];
  if (spawnSync(process.execPath, ready, { stdio: 'inherit' }).status !== 0) {
    process.exit(1);
  }
}

function changedAt(file) {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
