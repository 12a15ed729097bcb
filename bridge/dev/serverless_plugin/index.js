'use strict';

// The Serverless Framework's plugin: thin, over the command `bridge`. What each file is for stands at its head.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Artifacts } = require('./lib/artifacts');
const { commands, remotes } = require('./lib/commands');
const { credentials } = require('./lib/credentials');
const { Functions, HANDLER, hasRequirementsPlugin, said } = require('./lib/functions');
const { Python } = require('./lib/python');

class ServerlessBridge {
  constructor(serverless, options, utils) {
    this.serverless = serverless;
    this.options = options;
    this.log = utils.log;
    this.progress = utils.progress;
    this.error = (message) => new serverless.classes.Error(message, 'SERVERLESS_BRIDGE');
    this.commands = commands;
    this.describe();
    this.hooks = {
      'initialize': () => this.prepare(),
      'before:package:createDeploymentArtifacts': () => this.busy(() => this.artifacts.make()),
      'before:package:compileFunctions': () => this.busy(() => this.artifacts.complete()),
      'before:deploy:function:packageFunction': () => this.busy(() => this.makeOne()),
      'before:deploy:function:deploy': () => this.busy(() => this.completeOne()),
      'before:invoke:local:invoke': () => this.prepareInvocation(),
      'before:offline:start': () => this.prepareLocal(),
      'before:offline:start:init': () => this.prepareLocal(),
      'wsgi:serve:serve': () => this.serve(),
      'wsgi:install:install': () => this.install(),
      'wsgi:clean:clean': () => this.clean(),
    };
    for (const name of remotes) {
      this.hooks[`wsgi:${name}:${name}`] = () => this.runRemotely(name);
      this.hooks[`wsgi:${name}:local:${name}`] = () => this.runLocally(name);
    }
  }

  /** Tells the framework which properties of functions are this plugin's. */
  describe() {
    const schema = this.serverless.configSchemaHandler;
    if (!schema || !schema.defineFunctionProperties) return;
    const properties = {
      wsgi: {
        type: 'object',
        properties: { app: { type: 'string' }, textMimeTypes: { type: 'array', items: { type: 'string' } } },
        additionalProperties: false,
      },
    };
    // Beside that plugin it is described by that one.
    if (!hasRequirementsPlugin(this.serverless.service)) properties.module = { type: 'string' };
    schema.defineFunctionProperties('aws', { properties });
  }

  prepare() {
    const { service } = this.serverless;
    const folder = this.serverless.serviceDir || this.serverless.config.servicePath || '.';
    const isThere = (module) => fs.existsSync(path.join(folder, `${module}.py`));
    this.functions = new Functions(service, this.error, isThere);
    for (const line of this.functions.prepare()) this.log.warning(line);
    const provider = said(service.provider);
    this.python = new Python(this.functions.custom.pythonBin, folder, String(provider.runtime || ''), this.error);
    this.artifacts = new Artifacts(this.serverless, folder, this.functions, this.python, this);
    try {
      this.artifacts.prepareShared();
    } catch (problem) {
      this.problem = problem; // `remove`, `logs` and the like need no application
    }
  }

  check() {
    if (this.problem) throw this.problem;
  }

  async busy(work) {
    this.check();
    const shown = this.progress && this.progress.get('serverless-bridge');
    if (shown) shown.notice('Packaging Python applications');
    try {
      await work();
    } catch (problem) {
      if (this.python.stoppedBy) await this.stop(this.python.stoppedBy);
      throw problem;
    } finally {
      if (shown) shown.remove();
    }
  }

  /** Ends as if nobody had waited for a child: the framework takes an error after a signal for its own. */
  stop(signal) {
    process.stderr.write('\nStopped; nothing was packaged.\n');
    process.kill(process.pid, signal);
    return new Promise(() => {});
  }

  /** `deploy function`: one function, whatever it shares with others. */
  async makeOne() {
    const name = this.options.function;
    const described = this.functions.all[name];
    if (!this.artifacts.packaged.includes(name) || !this.functions.isPython(name)) return;
    if (said(this.serverless.service.package).artifact && !this.functions.isAlone(name)) return; // the user's own
    described.package = said(described.package);
    if (this.artifacts.packsRequirements) await this.artifacts.makeAlone(name);
  }

  async completeOne() {
    const name = this.options.function;
    if (this.artifacts.packsRequirements || !this.artifacts.completed.includes(name)) return;
    if (this.options['update-config']) return;
    const { package: own } = this.functions.all[name];
    const artifact = said(own).artifact || said(this.serverless.service.package).artifact;
    await this.artifacts.addTo(path.resolve(this.artifacts.folder, artifact), name);
  }

  /** The framework's Python finds the bridge, and the bridge the applications. */
  prepareLocal() {
    this.check();
    for (const name of this.functions.served) {
      this.functions.all[name].handler = HANDLER;
      this.functions.setVariables(name, this.ofApplication(name));
    }
    const { PYTHONPATH } = this.python.found.environment;
    if (PYTHONPATH) process.env.PYTHONPATH = PYTHONPATH;
  }

  prepareInvocation() {
    this.prepareLocal();
    const name = this.options.function;
    if (this.functions.served.includes(name)) Object.assign(process.env, this.ofApplication(name));
  }

  ofApplication(name) {
    const types = this.functions.textTypes(name).join(',');
    return { BRIDGE_APP: this.functions.app(name), ...(types && { BRIDGE_TEXT_TYPES: types }) };
  }

  async install() {
    await this.busy(() => this.artifacts.make());
    const made = Object.values(this.functions.all).map((described) => said(described.package).artifact);
    const files = [...new Set([said(this.serverless.service.package).artifact, ...made].filter(Boolean))];
    for (const file of files) this.log.notice(path.relative(process.cwd(), file));
    if (!files.length) this.log.notice('Nothing to make: serverless-python-requirements packs the requirements.');
  }

  clean() {
    for (const file of this.artifacts.clean()) this.log.notice(`Removed ${path.relative(process.cwd(), file)}`);
  }

  /** `bridge serve` of all functions. */
  async serve() {
    this.functions.choose();
    this.prepareLocal();
    const words = ['serve'];
    for (const name of ['port', 'host', 'source', 'num-processes', 'ssl-pub', 'ssl-pri']) {
      if (this.options[name] !== undefined) words.push(`--${name}=${this.options[name]}`);
    }
    for (const name of ['plain', 'disable-threading', 'ssl']) if (this.options[name]) words.push(`--${name}`);
    await this.locally(words, this.functions.all);
  }

  /** Runs `bridge` with the configuration of some functions, as the framework has resolved it. */
  async locally(words, functions) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bridge-serverless-'));
    const file = path.join(folder, 'serverless.json');
    const { service, provider, custom } = this.serverless.service;
    const { environment, runtime, timeout, apiGateway, httpApi } = provider;
    const content = { service, custom, functions, provider: { environment, runtime, timeout, apiGateway, httpApi } };
    fs.writeFileSync(file, JSON.stringify(content), { mode: 0o600 });
    try {
      await this.bridge(words, { BRIDGE_SERVERLESS_CONFIG: file, IS_OFFLINE: 'True' });
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  async runRemotely(command) {
    const name = this.functions.choose(this.options.function);
    const provider = this.serverless.getProvider('aws');
    const words = [command, '--function', this.functions.all[name].name, '--region', provider.getRegion()];
    await this.bridge([...words, ...this.what()], await credentials(provider));
  }

  async runLocally(command) {
    const name = this.functions.choose(this.options.function);
    if (!this.functions.served.includes(name)) {
      throw this.error(`Function "${name}" serves no application; commands run in the process of one.`);
    }
    this.prepareLocal();
    const words = [command, `--local=${this.functions.app(name)}`, ...this.what()];
    await this.locally(words, { [name]: this.functions.all[name] });
  }

  what() {
    const { command, file } = this.options;
    if ((command === undefined) === (file === undefined)) {
      throw this.error("Give one of the two: --command 'what to run', or --file with it in a file (- is standard input).");
    }
    return command === undefined ? [`--file=${file}`] : [`--command=${command}`];
  }

  async bridge(words, environment) {
    const { status } = await this.python.run(words, { folder: this.artifacts.folder, environment });
    if (status) process.exitCode = status;
  }
}

module.exports = ServerlessBridge;
