'use strict';

// Which functions serve an application, which one, and what they need to be told: serverless.yml as the framework has
// resolved it.

const HANDLER = 'bridge.entrypoint.handler';
const WRAPPER = '/var/task/bridge/runtime/bootstrap';

const said = (value) => (value && typeof value === 'object' ? value : {});

/** Whether serverless-python-requirements is among the service's plugins, in either form of their list. */
function hasRequirementsPlugin(service) {
  const plugins = service.plugins || [];
  return [...(plugins.modules || plugins)].includes('serverless-python-requirements');
}

class Functions {
  /**
   * @param {object} service the framework's service.
   * @param {(message: string) => Error} error what to throw.
   * @param {(module: string) => boolean} isThere whether the service has a file of that name, without `.py`.
   */
  constructor(service, error, isThere) {
    this.service = service;
    this.error = error;
    this.isThere = isThere;
    this.custom = said(said(service.custom).wsgi);
    this.served = []; // the names of those that serve an application
    this.made = []; // those of them whose zip is the user's own, and names its handler
  }

  /** Gives them the bridge's handler, and the environment that goes with it. @returns {string[]} warnings */
  prepare() {
    const warnings = new Set();
    for (const name of Object.keys(this.all)) {
      const described = this.all[name];
      const handler = typeof described.handler === 'string' ? described.handler : '';
      if (!this.isOurs(handler)) continue;
      if (said(described.package).artifact || (said(this.service.package).artifact && !this.isAlone(name))) {
        if (this.named(name)) this.served.push(name);
        this.made.push(name);
        continue;
      }
      if (!this.named(name) && handler !== HANDLER && this.isThere(handler.replace(/\.handler$/, ''))) continue;
      if (handler === 'wsgi.handler') {
        warnings.add(
          'The handler "wsgi.handler" is an old name that is still understood; write "wsgi_handler.handler" or ' +
            `"${HANDLER}" in serverless.yml.`
        );
      }
      described.handler = HANDLER;
      this.served.push(name);
      this.prepareStream(name);
    }
    return [...warnings];
  }

  get all() {
    return this.service.functions || {};
  }

  isOurs(handler) {
    return handler.includes('wsgi_handler.handler') || handler === 'wsgi.handler' || handler === HANDLER;
  }

  /** @returns {string} the application of a function, relative to the service */
  app(name) {
    const app = this.named(name);
    if (!app) {
      throw this.error(
        `Function "${name}" has the handler of an application, and none is named. With a Flask application "app" in ` +
          'api.py, write into serverless.yml: custom.wsgi.app: api.app (or, for this function alone, ' +
          `functions.${name}.wsgi.app).`
      );
    }
    return app;
  }

  named(name) {
    const app = said(this.all[name].wsgi).app || this.environment(name).BRIDGE_APP || this.custom.app;
    return typeof app === 'string' ? app : '';
  }

  /** @returns {string[]} the media types that are text, too */
  textTypes(name) {
    const types = said(this.all[name].wsgi).textMimeTypes || this.custom.textMimeTypes || [];
    if (!Array.isArray(types)) throw this.error('custom.wsgi.textMimeTypes must be a list of media types.');
    return types.map(String);
  }

  /** @returns {Object<string, string>} variables of a function whose values are known before it is deployed */
  environment(name) {
    const both = { ...said(said(this.service.provider).environment), ...said(this.all[name].environment) };
    return Object.fromEntries(
      Object.entries(both)
        .filter(([, value]) => value !== null && typeof value !== 'object')
        .map(([key, value]) => [key, String(value)])
    );
  }

  /** Sets variables of a function where nobody has, the provider's included; or always. */
  setVariables(name, variables, { always = false } = {}) {
    const provider = said(said(this.service.provider).environment);
    const described = this.all[name];
    described.environment = { ...said(described.environment) };
    for (const [key, value] of Object.entries(variables)) {
      if (always || !(key in described.environment || key in provider)) described.environment[key] = value;
    }
  }

  /** A Function URL that streams needs the bridge's own runtime: Lambda's client cannot. */
  prepareStream(name) {
    if (said(this.all[name].url).invokeMode === 'RESPONSE_STREAM') {
      this.setVariables(name, { AWS_LAMBDA_EXEC_WRAPPER: WRAPPER, BRIDGE_RESPONSE_MODE: 'stream' });
    }
  }

  isPython(name) {
    const runtime = this.runtime(name);
    return this.served.includes(name) || /^python/.test(runtime);
  }

  runtime(name) {
    return String(this.all[name].runtime || said(this.service.provider).runtime || '');
  }

  architecture(name) {
    return String(this.all[name].architecture || said(this.service.provider).architecture || 'x86_64');
  }

  isAlone(name) {
    const own = said(this.all[name].package).individually;
    return Boolean(own || said(this.service.package).individually);
  }

  /** The function that a command is for. @param {string | undefined} named the one that the user names */
  choose(named) {
    if (named && !this.all[named]) {
      throw this.error(`Function "${named}" not found. There are: ${Object.keys(this.all).join(', ') || 'none'}.`);
    }
    const name = named || this.served[0];
    if (!name) throw this.error(`No function has the handler wsgi_handler.handler, or ${HANDLER}.`);
    return name;
  }
}

module.exports = { Functions, HANDLER, hasRequirementsPlugin, said };
