'use strict';

// The artifacts of a service: made by `bridge package`, of the files that the framework's own patterns choose.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { hasRequirementsPlugin, said } = require('./functions');

const OLDEST = 11; // of Python 3, that the bridge runs on

class Artifacts {
  /**
   * @param {object} serverless the framework
   * @param {string} folder the service's
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

  /** Whether requirements are this plugin's business: not where another one packs them, if nobody says so. */
  get packsRequirements() {
    const wanted = this.functions.custom.packRequirements;
    return typeof wanted === 'boolean' ? wanted : !hasRequirementsPlugin(this.service);
  }

  /** The functions that the framework would make an artifact for. */
  get packaged() {
    return Object.keys(this.functions.all).filter((name) => {
      const described = this.functions.all[name];
      return !described.image && !said(described.package).disable && !said(described.package).artifact;
    });
  }

  /** The functions whose artifact the bridge and an application belong into. */
  get completed() {
    return this.functions.served.filter((name) => !this.functions.made.includes(name));
  }

  /** What one zip for all serves where no variable says otherwise: custom.wsgi.app, if any of them has that. */
  get shared() {
    const names = this.packaged.filter((name) => !this.functions.isAlone(name));
    const served = names.filter((name) => this.completed.includes(name));
    const main = served.find((name) => this.functions.app(name) === this.functions.custom.app) || served[0];
    return { names, served, main };
  }

  /** Tells functions by variables what the zip that they share tells others. */
  prepareShared() {
    const { served, main } = this.shared;
    for (const name of served) {
      const types = this.functions.textTypes(name).join(',');
      if (this.functions.app(name) !== this.functions.app(main)) {
        this.functions.setVariables(name, { BRIDGE_APP: this.functions.app(name) }, { always: true });
      }
      if (types && types !== this.functions.textTypes(main).join(',')) {
        this.functions.setVariables(name, { BRIDGE_TEXT_TYPES: types });
      }
    }
  }

  /** Before the framework makes its own artifacts: what is made here, it takes as it is. */
  async make() {
    for (const name of this.packaged) {
      const described = this.functions.all[name];
      described.package = said(described.package); // other plugins find there what the framework has made
    }
    if (!this.packsRequirements) return;
    const { names, main } = this.shared;
    const alone = this.packaged.filter((name) => this.functions.isAlone(name) && this.functions.isPython(name));
    if (names.some((name) => this.functions.isPython(name)) && !said(this.service.package).artifact) {
      await this.makeShared(names, main);
    }
    for (const name of alone) await this.makeAlone(name);
  }

  async makeShared(names, main) {
    const file = this.place(this.naming.getServiceArtifactName());
    const pythons = names.filter((name) => this.functions.isPython(name));
    const first = main || pythons[0];
    const other = pythons.find((name) => String(this.target(name)) !== String(this.target(first)));
    if (other) {
      this.log.warning(
        `Functions "${first}" and "${other}" share an artifact, and differ in runtime or architecture: its native ` +
          `code is for "${first}" alone. With package.individually each has its own.`
      );
    }
    const asked = this.asked([]);
    // The zip is that of functions in other languages, too.
    if (pythons.length < names.length) asked.push('node_modules/**');
    await this.pack(first, { file, files: await this.packager.resolveFilePathsAll(), asked, served: names });
    Object.assign(this.service.package, { artifact: file });
    this.service.artifact = file;
  }

  async makeAlone(name) {
    const file = this.place(this.naming.getFunctionArtifactName(name));
    const own = said(this.functions.all[name].package);
    const asked = this.asked([...(own.include || []), ...(own.patterns || [])]);
    const files = await this.packager.resolveFilePathsFunction(name);
    await this.pack(name, { file, files, asked, served: [name], module: this.functions.all[name].module });
    Object.assign(this.functions.all[name].package, { artifact: file });
  }

  /** One call of `bridge package`. */
  async pack(name, { file, files, asked, served, module }) {
    const inside = beginning(module);
    const folder = path.join(this.folder, inside);
    const before = this.madeBefore;
    const below = (paths) => paths.filter((each) => each.startsWith(inside)).map((each) => each.slice(inside.length));
    const isServed = this.functions.served.includes(name);
    const app = isServed ? from(inside, this.functions.app(name)) : '';
    const words = ['package', ...(app ? [app] : ['--no-app']), '--output', file, ...this.target(name)];
    for (const requirements of this.requirements(served, folder, inside)) words.push('--requirements', requirements);
    if (this.functions.custom.pipArgs) words.push(`--pip-args=${[this.functions.custom.pipArgs].flat().join(' ')}`);
    if (isServed) words.push(...this.textTypes(name));
    const chosen = files.filter((each) => !before || !each.startsWith(before));
    await this.withList({ files: below(chosen), asked: below(asked).concat(asked) }, (list) =>
      this.run([...words, '--files', list], folder)
    );
  }

  /** After all plugins have been at what the framework has made: the bridge goes into that, if it is not ours. */
  async complete() {
    if (this.packsRequirements) return;
    const done = new Set();
    const { served, main } = this.shared;
    const alone = this.completed.filter((name) => !served.includes(name));
    for (const name of [main, ...alone]) {
      const artifact = name && (said(this.functions.all[name].package).artifact || said(this.service.package).artifact);
      if (!artifact || done.has(artifact)) continue;
      done.add(artifact);
      await this.addTo(path.resolve(this.folder, artifact), name);
    }
  }

  async addTo(file, name) {
    const inside = beginning(this.functions.isAlone(name) && this.functions.all[name].module);
    const app = from(inside, this.functions.app(name));
    await this.run(['package', app, '--add-to', file, ...this.target(name), ...this.textTypes(name)], this.folder);
  }

  /** Removes what `make` leaves. @returns {string[]} the files that were there */
  clean() {
    const names = [this.naming.getServiceArtifactName()];
    names.push(...Object.keys(this.functions.all).map((name) => this.naming.getFunctionArtifactName(name)));
    const files = [...new Set(names.map((name) => this.place(name)))].filter((file) => fs.existsSync(file));
    files.forEach((file) => fs.unlinkSync(file));
    return files;
  }

  target(name) {
    const runtime = this.functions.runtime(name);
    const version = /^python(3\.(\d+))$/.exec(runtime);
    const isPossible = version ? version[2] >= OLDEST : runtime.startsWith('provided');
    if (this.functions.served.includes(name) && !isPossible) {
      throw this.error(
        `Function "${name}" has ${runtime ? `the runtime ${runtime}` : 'no runtime'}; an application needs ` +
          `python3.${OLDEST} or later. Write it into serverless.yml: provider.runtime, or functions.${name}.runtime.`
      );
    }
    return [...(version ? ['--python', version[1]] : []), '--arch', this.functions.architecture(name)];
  }

  textTypes(name) {
    const types = this.functions.textTypes(name);
    return types.length ? [`--text-types=${types.join(',')}`] : [];
  }

  /** The requirements.txt beside each application; without one, whatever file of the project says it. */
  requirements(names, folder, inside) {
    const apps = names.filter((name) => this.functions.served.includes(name)).map((name) => this.functions.app(name));
    if (!apps.length && this.functions.custom.app) apps.push(this.functions.custom.app);
    const places = apps.map((app) => path.join(folder, path.dirname(from(inside, app))));
    const files = places.map((place) => path.join(place, 'requirements.txt')).filter((file) => fs.existsSync(file));
    return [...new Set(files)];
  }

  /** The patterns by which the user takes files in. */
  asked(more) {
    const all = said(this.service.package);
    return [...(all.include || []), ...(all.patterns || []), ...more].filter((pattern) => !pattern.startsWith('!'));
  }

  async withList(list, use) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bridge-files-'));
    try {
      const file = path.join(folder, 'files.json');
      fs.writeFileSync(file, JSON.stringify(list));
      await use(file);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  async run(words, folder) {
    const { status, output, errors } = await this.python.run(words, { folder, capture: true });
    if (status !== 0) throw this.error(errors.trim().replace(/^bridge: /, '') || `bridge ended with status ${status}.`);
    this.log.info(output.trimEnd());
    for (const line of errors.split('\n').filter(Boolean)) this.log.warning(line.replace(/^bridge: /, ''));
  }

  /** Where the framework moves artifacts to, if it is told: those of the last time do not go into the next one. */
  get madeBefore() {
    const folder = this.options.package || said(this.service.package).path;
    return folder && `${path.relative(this.folder, path.resolve(this.folder, folder)).split(path.sep).join('/')}/`;
  }

  place(name) {
    return path.join(this.folder, '.serverless', name);
  }

  get naming() {
    return this.serverless.getProvider('aws').naming;
  }

  /** The framework's own packager, for it knows the patterns. */
  get packager() {
    return this.serverless.pluginManager.plugins.find((plugin) => typeof plugin.resolveFilePathsAll === 'function');
  }
}

/** What paths in a function's `module` begin with: `web/`; nothing if that is the service. */
function beginning(module) {
  return module && module !== '.' ? `${path.posix.normalize(module).replace(/\/$/, '')}/` : '';
}

/** A path as seen from the folder that it begins with. */
function from(inside, place) {
  return place.startsWith(inside) ? place.slice(inside.length) : place;
}

module.exports = { Artifacts };
