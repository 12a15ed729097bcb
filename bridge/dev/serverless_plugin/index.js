'use strict';

// The Serverless Framework plugin. The command `bridge` of the Python package does the work; the plugin calls it where
// the framework packages, deploys or runs functions.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Artifacts } = require('./lib/artifacts');
const { commands, remoteCommands } = require('./lib/commands');
const { credentials } = require('./lib/credentials');
const { Functions, hasRequirementsPlugin } = require('./lib/functions');
const { Python } = require('./lib/python');

class ServerlessBridge {
  constructor(serverless, options, { log, progress }) {
    this.serverless = serverless;
    this.options = options;
    this.log = log;
    this.progress = progress;
    this.error = (message) => new serverless.classes.Error(message, 'SERVERLESS_BRIDGE');
    this.commands = commands;
    this.defineProperties();
    this.hooks = {
      'initialize': () => this.initialize(),
      // The first event of each command that reads handlers and variables: other plugins may change them later.
      'before:package:cleanup': () => this.findApplications(),
      'before:deploy:function:initialize': () => this.findApplications(),
      'before:package:createDeploymentArtifacts': () => this.showProgress(() => this.artifacts.make()),
      'before:package:compileFunctions': () => this.showProgress(() => this.artifacts.complete()),
      'before:deploy:function:packageFunction': () => this.showProgress(() => this.makeOne()),
      'before:deploy:function:deploy': () => this.showProgress(() => this.completeOne()),
      'before:invoke:local:invoke': () => this.setUpInvocation(),
      'before:offline:start': () => this.setUpLocally(),
      'before:offline:start:init': () => this.setUpLocally(),
      'wsgi:serve:serve': () => this.serve(),
      'wsgi:install:install': () => this.install(),
      'wsgi:clean:clean': () => this.clean(),
    };
    for (const name of remoteCommands) {
      this.hooks[`wsgi:${name}:${name}`] = () => this.runRemotely(name);
      this.hooks[`wsgi:${name}:local:${name}`] = () => this.runLocally(name);
    }
  }

  /** Adds the plugin's properties of functions to the framework's schema of serverless.yml. */
  defineProperties() {
    const schema = this.serverless.configSchemaHandler;
    if (!schema?.defineFunctionProperties) return;
    const properties = {
      wsgi: {
        type: 'object',
        properties: { app: { type: 'string' }, textMimeTypes: { type: 'array', items: { type: 'string' } } },
        additionalProperties: false,
      },
    };
    // serverless-python-requirements defines `module` as well, and a property can be defined once.
    if (!hasRequirementsPlugin(this.serverless.service)) properties.module = { type: 'string' };
    schema.defineFunctionProperties('aws', { properties });
  }

  initialize() {
    const { service } = this.serverless;
    this.folder = this.serverless.serviceDir || this.serverless.config.servicePath || '.';
    this.functions = new Functions(service, this.error);
    const { pythonBin } = this.functions.options;
    this.python = new Python(pythonBin, this.folder, String(service.provider.runtime || ''), this.error);
    this.artifacts = new Artifacts(this.serverless, this.folder, this.functions, this.python, this);
  }

  /** Finds the application of each function, once, and sets the functions up for their deployment. */
  findApplications() {
    this.search = this.search ?? this.stoppable(() => this.readApplications());
    return this.search;
  }

  async readApplications() {
    const input = JSON.stringify(this.functions.configuration());
    const output = await this.python.capture(['plugin', '--applications'], { folder: this.folder, input });
    const { applications, shared, warnings } = JSON.parse(output);
    for (const line of warnings) this.log.warning(line);
    this.functions.setApplications(applications, shared);
  }

  async showProgress(work) {
    const progress = this.progress?.get('serverless-bridge');
    progress?.notice('Packaging Python applications');
    try {
      await this.findApplications();
      await this.stoppable(work);
    } finally {
      progress?.remove();
    }
  }

  /** Runs `work`. If a signal ends its child process, that signal ends this process as well. */
  async stoppable(work) {
    try {
      await work();
    } catch (problem) {
      if (!this.python.stoppedBy) throw problem;
      // The framework would report the error as its own.
      process.stderr.write('\nStopped; nothing was packaged.\n');
      process.kill(process.pid, this.python.stoppedBy);
      await new Promise(() => {});
    }
  }

  /** `deploy function`: makes the artifact of one function, which may share another one in a full deployment. */
  async makeOne() {
    const name = this.options.function;
    const hasOwnArtifact = this.serverless.service.package?.artifact && !this.functions.isPackagedIndividually(name);
    if (hasOwnArtifact || !this.artifacts.packaged.includes(name) || !this.functions.isPython(name)) return;
    this.artifacts.ensurePackage(name);
    if (this.artifacts.packsRequirements) await this.artifacts.makeOne(name);
  }

  async completeOne() {
    const name = this.options.function;
    if (this.artifacts.packsRequirements || !this.functions.bundled.includes(name)) return;
    if (this.options['update-config']) return;
    const artifact = this.functions.all[name].package?.artifact || this.serverless.service.package?.artifact;
    await this.artifacts.addTo(path.resolve(this.folder, artifact), name);
  }

  /** Lets the framework's Python import the bridge, and the bridge find the applications. */
  async setUpLocally() {
    await this.findApplications();
    this.functions.setUpLocally();
    const { PYTHONPATH } = this.python.interpreter.environment;
    if (PYTHONPATH) process.env.PYTHONPATH = PYTHONPATH;
  }

  async setUpInvocation() {
    await this.setUpLocally();
    const application = this.functions.applications[this.options.function];
    if (application) Object.assign(process.env, application.local_environment);
  }

  async install() {
    await this.showProgress(() => this.artifacts.make());
    const artifacts = Object.values(this.functions.all).map((settings) => settings.package?.artifact);
    const files = new Set([this.serverless.service.package?.artifact, ...artifacts].filter(Boolean));
    for (const file of files) this.log.notice(path.relative(process.cwd(), file));
    if (!files.size) this.log.notice('No artifact was made: serverless-python-requirements packages the requirements.');
  }

  clean() {
    for (const file of this.artifacts.clean()) this.log.notice(`Removed ${path.relative(process.cwd(), file)}`);
  }

  /** Runs `bridge serve` with all functions. */
  async serve() {
    await this.findApplications();
    this.functions.choose();
    const words = ['serve'];
    for (const name of ['port', 'host', 'source', 'num-processes', 'ssl-pub', 'ssl-pri']) {
      if (this.options[name] !== undefined) words.push(`--${name}=${this.options[name]}`);
    }
    for (const name of ['plain', 'disable-threading', 'ssl']) if (this.options[name]) words.push(`--${name}`);
    await this.runWithConfiguration(words, this.functions.all);
  }

  async runRemotely(command) {
    const code = this.code();
    if (!this.options.function) await this.findApplications();
    const name = this.functions.choose(this.options.function);
    const provider = this.serverless.getProvider('aws');
    const words = [command, '--function', this.functions.all[name].name, '--region', provider.getRegion(), code];
    await this.bridge(words, await credentials(provider));
  }

  async runLocally(command) {
    const code = this.code();
    await this.findApplications();
    const name = this.functions.choose(this.options.function);
    const application = this.functions.applications[name];
    if (!application) {
      throw this.error(`Function "${name}" serves no application, so there is no process to run commands in.`);
    }
    const words = [command, `--local=${application.local_environment.BRIDGE_APP}`, code];
    await this.runWithConfiguration(words, { [name]: this.functions.all[name] });
  }

  /** The option of `bridge` with the code to run. */
  code() {
    const { command, file } = this.options;
    if ((command === undefined) === (file === undefined)) {
      throw this.error(
        "Give either --command 'CODE', or --file FILE with the code in a file (- for standard input)."
      );
    }
    return command === undefined ? `--file=${file}` : `--command=${command}`;
  }

  /** Runs `bridge` with the resolved configuration of functions, in a file that processes of the server read again. */
  async runWithConfiguration(words, functions) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bridge-serverless-'));
    const file = path.join(folder, 'serverless.json');
    fs.writeFileSync(file, JSON.stringify(this.functions.configuration(functions)), { mode: 0o600 });
    try {
      await this.bridge(words, { BRIDGE_SERVERLESS_CONFIG: file, IS_OFFLINE: 'True' });
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  async bridge(words, environment) {
    const { status } = await this.python.run(words, { folder: this.folder, environment });
    if (status) process.exitCode = status;
  }
}

module.exports = ServerlessBridge;
