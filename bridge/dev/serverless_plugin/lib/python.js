'use strict';

// The Python interpreter that has the package `bridge`.

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

// Prints the version and whether the package is installed; `probe` parses it.
const PROBE = 'import sys, importlib.util as u; print(*sys.version_info[:2], u.find_spec("bridge") is not None)';
const MINIMUM_MINOR = 11; // of Python 3
const INSTALL =
  "In the environment of your application, run: pip install 'serverless-bridge[serverless]'. Or set " +
  'custom.wsgi.pythonBin to a Python that has it.';

class Python {
  /**
   * @param {string | undefined} program custom.wsgi.pythonBin: the name of a program, or a path relative to the service
   * @param {string} folder the folder of the service
   * @param {string} runtime provider.runtime
   * @param {(message: string) => Error} error creates an error that the framework prints without a stack
   */
  constructor(program, folder, runtime, error) {
    this.configured = program && /[/\\]/.test(program) ? path.resolve(folder, program) : program;
    this.runtime = runtime;
    this.error = error;
  }

  /**
   * The interpreter, and the variables with which it finds the package.
   *
   * @returns {{program: string, environment: Object<string, string>}}
   */
  get interpreter() {
    if (!this.cached) this.cached = this.configured ? this.configuredInterpreter() : this.findInterpreter();
    return this.cached;
  }

  configuredInterpreter() {
    const program = this.configured;
    const probed = probe(program);
    if (!probed) throw this.error(`custom.wsgi.pythonBin is "${program}", which cannot be run.`);
    if (!probed.isSupported) {
      throw this.error(`custom.wsgi.pythonBin is Python ${probed.version}; it must be 3.${MINIMUM_MINOR} or later.`);
    }
    if (probed.hasBridge) return { program, environment: {} };
    const environment = importPath();
    if (!environment) throw this.error(`${program} has no package serverless-bridge. ${INSTALL}`);
    return { program, environment };
  }

  findInterpreter() {
    let withoutBridge = null;
    const versions = [];
    for (const program of this.candidates()) {
      const probed = probe(program);
      if (!probed) continue;
      versions.push(`${program} (${probed.version})`);
      if (!probed.isSupported) continue;
      if (probed.hasBridge) return { program, environment: {} };
      withoutBridge = withoutBridge ?? program;
    }
    const environment = importPath();
    if (withoutBridge && environment) return { program: withoutBridge, environment };
    if (withoutBridge) throw this.error(`The package serverless-bridge is not installed. ${INSTALL}`);
    if (!versions.length) throw this.error(`Python is not installed. ${INSTALL}`);
    throw this.error(
      `The plugin needs Python 3.${MINIMUM_MINOR} or later, and found ${versions.join(', ')}. Set ` +
        'custom.wsgi.pythonBin to a later one.'
    );
  }

  /** The active virtual environment, the runtime's name, the environment this plugin is installed in, `python3`. */
  *candidates() {
    const executable = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
    if (process.env.VIRTUAL_ENV) yield path.join(process.env.VIRTUAL_ENV, ...executable);
    if (/^python3\.\d+$/.test(this.runtime)) yield this.runtime;
    // This file may be in lib/python3.x/site-packages/bridge/dev/serverless_plugin/lib of an environment.
    const home = path.resolve(__dirname, '../../../../../../..');
    if (fs.existsSync(path.join(home, 'pyvenv.cfg'))) yield path.join(home, ...executable);
    yield* ['python3', 'python'];
  }

  /**
   * Runs `bridge`.
   *
   * @param {string[]} words the arguments
   * @param {object} options
   * @param {string} options.folder the current folder
   * @param {Object<string, string>} [options.environment] more variables
   * @param {string} [options.input] standard input
   * @param {boolean} [options.capture] whether to return the output; by default, it goes to that of this process
   * @returns {Promise<{status: number, output: string, errors: string}>}
   */
  run(words, { folder, environment = {}, input, capture = false }) {
    const { program, environment: own } = this.interpreter;
    const child = spawn(program, ['-m', 'bridge', ...words], {
      cwd: folder,
      env: { ...process.env, ...environment, ...own },
      stdio: capture ? [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] : 'inherit',
    });
    const result = { output: '', errors: '' };
    if (capture) {
      child.stdout.setEncoding('utf8').on('data', (text) => (result.output += text));
      child.stderr.setEncoding('utf8').on('data', (text) => (result.errors += text));
    }
    if (input !== undefined) child.stdin.on('error', () => {}).end(input); // the child may end without reading it
    // A terminal sends Ctrl-C to both processes. This one waits for the child, which ends in order.
    const wait = (signal) => (this.stoppedBy = signal);
    const end = (signal) => child.kill(wait(signal));
    process.on('SIGINT', wait).on('SIGTERM', end);
    return new Promise((resolve, reject) => {
      child.on('error', (problem) => reject(this.error(`${program} cannot be run: ${problem.message}`)));
      child.on('close', (code, signal) => resolve({ ...result, status: signal ? 130 : code }));
    }).finally(() => process.off('SIGINT', wait).off('SIGTERM', end));
  }

  /**
   * Runs `bridge` and returns its standard output; throws its message if it fails.
   *
   * @param {string[]} words the arguments
   * @param {{folder: string, input?: string, onWarning?: (line: string) => void}} options
   */
  async capture(words, { folder, input, onWarning = () => {} }) {
    const { status, output, errors } = await this.run(words, { folder, input, capture: true });
    if (status !== 0) throw this.error(errors.trim().replace(/^bridge: /, '') || `bridge ended with status ${status}.`);
    for (const line of errors.split('\n').filter(Boolean)) onWarning(line.replace(/^bridge: /, ''));
    return output;
  }
}

/** Runs a program; returns null if it is no Python. */
function probe(program) {
  const { status, stdout } = spawnSync(program, ['-c', PROBE], { encoding: 'utf8', cwd: os.tmpdir() });
  const words = status === 0 ? stdout.trim().split(' ') : [];
  if (words.length !== 3) return null;
  const [major, minor] = words.map(Number);
  const isSupported = major > 3 || (major === 3 && minor >= MINIMUM_MINOR);
  return { version: `${major}.${minor}`, isSupported, hasBridge: words[2] === 'True' };
}

/** The variable with which Python finds the package that this plugin is part of; null if it is not part of one. */
function importPath() {
  const folder = path.resolve(__dirname, '../../../..');
  if (!fs.existsSync(path.join(folder, 'bridge', '__main__.py'))) return null;
  const { PYTHONPATH } = process.env;
  return { PYTHONPATH: PYTHONPATH ? `${folder}${path.delimiter}${PYTHONPATH}` : folder };
}

module.exports = { Python };
