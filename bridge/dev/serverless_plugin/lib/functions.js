'use strict';

// The functions of a service, and the applications that they serve. `bridge plugin --applications` decides which
// function serves which application.

const HANDLER = 'bridge.entrypoint.handler';

/** Whether the plugin serverless-python-requirements is enabled; `plugins` is a list, or an object with a list. */
function hasRequirementsPlugin(service) {
  const plugins = service.plugins ?? [];
  return [...(plugins.modules ?? plugins)].includes('serverless-python-requirements');
}

class Functions {
  /**
   * @param {object} service the framework's service, with all variables resolved
   * @param {(message: string) => Error} error creates an error that the framework prints without a stack
   */
  constructor(service, error) {
    this.service = service;
    this.error = error;
    this.options = service.custom?.wsgi ?? {};
    this.applications = {}; // by the name of the function
    this.shared = null; // the function whose application is named in the service's artifact
  }

  /** @returns {Object<string, object>} the settings of each function, by its name in serverless.yml */
  get all() {
    return this.service.functions ?? {};
  }

  /** @returns {string[]} the names of the functions that serve an application */
  get served() {
    return Object.keys(this.applications);
  }

  /** @returns {string[]} the names of those that have it in their artifact; serverless.yml names none of their own */
  get bundled() {
    return this.served.filter((name) => !this.applications[name].has_own_artifact);
  }

  /** @returns {object} the configuration that `bridge` reads in place of serverless.yml */
  configuration(functions = this.all) {
    const { environment, runtime, timeout, apiGateway, httpApi } = this.service.provider;
    const { wsgi, apigwBinary } = this.service.custom ?? {};
    const { artifact, individually } = this.service.package ?? {};
    return {
      functions,
      provider: { environment, runtime, timeout, apiGateway, httpApi },
      custom: { wsgi, apigwBinary },
      package: { artifact, individually },
    };
  }

  /** Sets the handler and the variables of the functions that serve an application, for their deployment. */
  setApplications(applications, shared) {
    this.applications = applications;
    this.shared = shared;
    for (const name of this.bundled) {
      this.all[name].handler = HANDLER;
      this.addVariables(name, applications[name].environment);
    }
  }

  /** Sets the handler and the variables of all functions that serve an application, for a run on this machine. */
  setUpLocally() {
    for (const name of this.served) {
      this.all[name].handler = HANDLER;
      this.addVariables(name, this.applications[name].local_environment);
    }
  }

  addVariables(name, variables) {
    if (!Object.keys(variables).length) return;
    this.all[name].environment = { ...this.all[name].environment, ...variables };
  }

  isPython(name) {
    return name in this.applications || /^python/.test(this.runtime(name));
  }

  runtime(name) {
    return String(this.all[name].runtime || this.service.provider.runtime || '');
  }

  architecture(name) {
    return String(this.all[name].architecture || this.service.provider.architecture || 'x86_64');
  }

  isPackagedIndividually(name) {
    return Boolean(this.all[name].package?.individually || this.service.package?.individually);
  }

  /**
   * @param {string | undefined} name the function that the user names
   * @returns {string} that one, or the first that serves an application
   */
  choose(name) {
    if (name && !this.all[name]) {
      throw this.error(`Function "${name}" not found. There are: ${Object.keys(this.all).join(', ') || 'none'}.`);
    }
    const chosen = name || this.served[0];
    if (!chosen) {
      throw this.error(`No function serves an application. In serverless.yml, give one the handler ${HANDLER}.`);
    }
    return chosen;
  }
}

module.exports = { Functions, HANDLER, hasRequirementsPlugin };
