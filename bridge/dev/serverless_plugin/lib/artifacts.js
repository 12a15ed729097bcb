'use strict';

// The artifacts of a service. `bridge package` makes them from the files that the framework's patterns select.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { hasRequirementsPlugin } = require('./functions');

const MINIMUM_PYTHON_MINOR = 11; // of Python 3

class Artifacts {
  /**
   * @param {object} serverless the framework
   * @param {string} folder the folder of the service
   * @param {import('./functions').Functions} functions
   * @param {import('./python').Python} python
   * @param {{log: object, error: (message: string) => Error, options: object}} plugin
   */
  constructor(serverless, folder, functions, python, { log, error, options }) {
    this.serverless = serverless;
    this.folder = folder;
    this.service = serverless.service;
    this.functions = functions;
    this.python = python;
    this.log = log;
    this.error = error;
    this.options = options;
  }

  /** Whether this plugin packages requirements; by default, if serverless-python-requirements does not. */
  get packsRequirements() {
    const { packRequirements } = this.functions.options;
    return typeof packRequirements === 'boolean' ? packRequirements : !hasRequirementsPlugin(this.service);
  }

  /** The functions that the framework would make an artifact for. */
  get packaged() {
    return Object.keys(this.functions.all).filter((name) => {
      const { image, package: own } = this.functions.all[name];
      return !image && !own?.disable && !own?.artifact;
    });
  }

  /** Makes all artifacts. Runs before the framework packages; it keeps the artifacts that are there. */
  async make() {
    for (const name of this.packaged) this.ensurePackage(name);
    if (!this.packsRequirements) return;
    const individually = this.packaged.filter((name) => this.functions.isPackagedIndividually(name));
    const sharing = this.packaged.filter((name) => !individually.includes(name));
    if (sharing.some((name) => this.functions.isPython(name)) && !this.service.package?.artifact) {
      await this.makeShared(sharing);
    }
    for (const name of individually) if (this.functions.isPython(name)) await this.makeOne(name);
  }

  async makeShared(names) {
    const file = this.artifactPath(this.naming.getServiceArtifactName());
    const python = names.filter((name) => this.functions.isPython(name));
    const main = names.includes(this.functions.shared) ? this.functions.shared : python[0];
    const other = python.find((name) => String(this.target(name)) !== String(this.target(main)));
    if (other) {
      this.log.warning(
        `Functions "${main}" and "${other}" share an artifact, but differ in runtime or architecture. Native code in ` +
          `it works for "${main}" only. With package.individually, each function has its own artifact.`
      );
    }
    const patterns = this.includedPatterns([]);
    if (python.length < names.length) patterns.push('node_modules/**'); // for functions in JavaScript
    await this.pack(main, { file, files: await this.packager.resolveFilePathsAll(), patterns, functions: names });
    this.service.package.artifact = file;
    this.service.artifact = file;
  }

  async makeOne(name) {
    const file = this.artifactPath(this.naming.getFunctionArtifactName(name));
    const settings = this.functions.all[name];
    this.ensurePackage(name);
    const { include = [], patterns: own = [] } = settings.package;
    const patterns = this.includedPatterns([...include, ...own]);
    const files = await this.packager.resolveFilePathsFunction(name);
    await this.pack(name, { file, files, patterns, functions: [name], module: settings.module });
    settings.package.artifact = file;
  }

  /**
   * Runs `bridge package`.
   *
   * @param {string} name the function whose application, runtime and architecture count
   * @param {object} artifact
   * @param {string} artifact.file the artifact
   * @param {string[]} artifact.files the files that the framework's patterns select
   * @param {string[]} artifact.patterns the patterns that include files
   * @param {string[]} artifact.functions the functions in the artifact
   * @param {string} [artifact.module] the folder that is the root of the artifact
   */
  async pack(name, { file, files, patterns, functions, module }) {
    const prefix = folderPrefix(module);
    const root = path.join(this.folder, prefix);
    const inRoot = (paths) => paths.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length));
    const { outputPrefix } = this;
    const selected = files.filter((each) => !outputPrefix || !each.startsWith(outputPrefix));
    const application = this.functions.applications[name];
    const words = ['package', ...(application ? [withoutPrefix(application.app, prefix)] : ['--no-app'])];
    words.push('--output', file, ...this.target(name), ...textTypes(application));
    for (const requirements of this.requirements(functions, root, prefix)) words.push('--requirements', requirements);
    const { pipArgs } = this.functions.options;
    if (pipArgs) words.push(`--pip-args=${[pipArgs].flat().join(' ')}`);
    // The patterns count from the service's folder, and from the root of the artifact.
    const list = { files: inRoot(selected), asked: [...inRoot(patterns), ...patterns] };
    await this.withFile(list, (listFile) => this.run([...words, '--files', listFile], root));
  }

  /** Adds the bridge to the artifacts of the framework and other plugins. Runs after they are made. */
  async complete() {
    if (this.packsRequirements) return;
    const completed = new Set();
    for (const name of [this.functions.shared, ...this.functions.bundled]) {
      const artifact = name && (this.functions.all[name].package?.artifact || this.service.package?.artifact);
      if (!artifact || completed.has(artifact)) continue;
      completed.add(artifact);
      await this.addTo(path.resolve(this.folder, artifact), name);
    }
  }

  async addTo(file, name) {
    const prefix = folderPrefix(this.functions.isPackagedIndividually(name) && this.functions.all[name].module);
    const application = this.functions.applications[name];
    const words = ['package', withoutPrefix(application.app, prefix), '--add-to', file];
    await this.run([...words, ...this.target(name), ...textTypes(application)], this.folder);
  }

  /** Adds the settings that other plugins and the framework read and write, if serverless.yml has none. */
  ensurePackage(name) {
    const settings = this.functions.all[name];
    settings.package = settings.package ?? {};
  }

  /** Removes the artifacts that `make` leaves. @returns {string[]} the removed files */
  clean() {
    const names = [this.naming.getServiceArtifactName()];
    names.push(...Object.keys(this.functions.all).map((name) => this.naming.getFunctionArtifactName(name)));
    const files = [...new Set(names.map((name) => this.artifactPath(name)))].filter((file) => fs.existsSync(file));
    files.forEach((file) => fs.unlinkSync(file));
    return files;
  }

  /** The options of `bridge package` for the runtime and the architecture of a function. */
  target(name) {
    const runtime = this.functions.runtime(name);
    const version = /^python(3\.(\d+))$/.exec(runtime);
    const isSupported = version ? version[2] >= MINIMUM_PYTHON_MINOR : runtime.startsWith('provided');
    if (name in this.functions.applications && !isSupported) {
      throw this.error(
        `Function "${name}" has ${runtime ? `the runtime ${runtime}` : 'no runtime'}; an application needs ` +
          `python3.${MINIMUM_PYTHON_MINOR} or later. Set provider.runtime, or functions.${name}.runtime, in ` +
          'serverless.yml.'
      );
    }
    return [...(version ? ['--python', version[1]] : []), '--arch', this.functions.architecture(name)];
  }

  /** The requirements.txt beside each application; none, and `bridge package` finds the requirements of the project. */
  requirements(names, root, prefix) {
    const { applications, options } = this.functions;
    const apps = names.filter((name) => name in applications).map((name) => applications[name].app);
    if (!apps.length && options.app) apps.push(options.app);
    const folders = apps.map((app) => path.join(root, path.dirname(withoutPrefix(app, prefix))));
    const files = folders.map((folder) => path.join(folder, 'requirements.txt')).filter((file) => fs.existsSync(file));
    return [...new Set(files)];
  }

  /** The patterns of the service, and `more`, that include files. */
  includedPatterns(more) {
    const { include = [], patterns = [] } = this.service.package ?? {};
    return [...include, ...patterns, ...more].filter((pattern) => !pattern.startsWith('!'));
  }

  async withFile(content, use) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bridge-files-'));
    try {
      const file = path.join(folder, 'files.json');
      fs.writeFileSync(file, JSON.stringify(content));
      await use(file);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  async run(words, folder) {
    const output = await this.python.capture(words, { folder, onWarning: (line) => this.log.warning(line) });
    this.log.info(output.trimEnd());
  }

  /**
   * The folder, relative to the service, to which the framework moves artifacts (`--package`, `package.path`). It is
   * excluded, or each artifact would have the one before it inside.
   */
  get outputPrefix() {
    const folder = this.options.package || this.service.package?.path;
    return folder && `${path.relative(this.folder, path.resolve(this.folder, folder)).split(path.sep).join('/')}/`;
  }

  artifactPath(name) {
    return path.join(this.folder, '.serverless', name);
  }

  get naming() {
    return this.serverless.getProvider('aws').naming;
  }

  /** The framework's plugin that resolves its patterns. */
  get packager() {
    return this.serverless.pluginManager.plugins.find((plugin) => typeof plugin.resolveFilePathsAll === 'function');
  }
}

function textTypes(application) {
  return application?.text_types.length ? [`--text-types=${application.text_types.join(',')}`] : [];
}

/** The prefix of paths in the folder `module`: `web/`; `''` for the folder of the service. */
function folderPrefix(module) {
  return module && module !== '.' ? `${path.posix.normalize(module).replace(/\/$/, '')}/` : '';
}

function withoutPrefix(name, prefix) {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

module.exports = { Artifacts };
