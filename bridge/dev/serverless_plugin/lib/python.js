'use strict';

// The Python that runs `bridge`, and running it.

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

// What finds out whether a Python will do; its words are read in `probe`.
const QUESTION = 'import sys, importlib.util as u; print(*sys.version_info[:2], u.find_spec("bridge") is not None)';
const NEWEST_THAT_FAILS = 10; // of Python 3

class Python {
  /**
   * @param {string | undefined} wanted custom.wsgi.pythonBin: a program's name, or a path from the service's folder on
   * @param {string} folder the service's folder
   * @param {string} runtime provider.runtime
   * @param {(message: string) => Error} error what to throw
   */
  constructor(wanted, folder, runtime, error) {
    this.wanted = wanted && /[/\\]/.test(wanted) ? path.resolve(folder, wanted) : wanted;
    this.runtime = runtime;
    this.error = error;
  }

  /** The program and the environment with which it finds the bridge. @returns {{program: string, environment: object}} */
  get found() {
    if (!this._found) this._found = this.find();
    return this._found;
  }

  find() {
    if (this.wanted) {
      const answer = probe(this.wanted);
      if (!answer) {
        throw this.error(`custom.wsgi.pythonBin is "${this.wanted}", which cannot be run.`);
      }
      if (answer.isOld) throw this.error(`custom.wsgi.pythonBin is Python ${answer.version}; it must be 3.11 or later.`);
      return this.with(this.wanted, answer);
    }
    let other = null;
    const seen = [];
    for (const program of this.candidates()) {
      const answer = probe(program);
      if (!answer) continue;
      seen.push(`${program} (${answer.version})`);
      if (answer.isOld) continue;
      if (answer.hasBridge) return { program, environment: {} };
      other = other || { program, answer };
    }
    if (other && root()) return this.with(other.program, other.answer);
    throw this.error(
      seen.length && !other
        ? `No Python 3.11 or later was found; there is ${seen.join(', ')}. custom.wsgi.pythonBin names another one.`
        : `${other ? 'The bridge is' : 'Python is'} not installed here. ${INSTALL}`
    );
  }

  with(program, answer) {
    if (!answer.hasBridge && !root()) throw this.error(`${program} has no bridge. ${INSTALL}`);
    return { program, environment: answer.hasBridge ? {} : { PYTHONPATH: joined(root(), process.env.PYTHONPATH) } };
  }

  /** The virtual environment that is active, the runtime's own name, the one this plugin is installed in, any. */
  *candidates() {
    const inside = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
    if (process.env.VIRTUAL_ENV) yield path.join(process.env.VIRTUAL_ENV, ...inside);
    if (/^python3\.\d+$/.test(this.runtime)) yield this.runtime;
    const home = path.resolve(__dirname, '../../../../../../..'); // lib/python3.x/site-packages/bridge/dev/serverless_plugin/lib
    if (fs.existsSync(path.join(home, 'pyvenv.cfg'))) yield path.join(home, ...inside);
    yield* ['python3', 'python'];
  }

  /**
   * Runs `bridge`; its output is the framework's own, or, if it is captured, the answer's.
   * @returns {Promise<{status: number, output: string, errors: string}>}
   */
  run(words, { folder, environment = {}, capture = false }) {
    const { program, environment: own } = this.found;
    const child = spawn(program, ['-m', 'bridge', ...words], {
      cwd: folder,
      env: { ...process.env, ...environment, ...own },
      stdio: capture ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    });
    const told = { output: '', errors: '' };
    if (capture) {
      child.stdout.setEncoding('utf8').on('data', (text) => (told.output += text));
      child.stderr.setEncoding('utf8').on('data', (text) => (told.errors += text));
    }
    // The terminal sends Ctrl-C to both; the child says what came of it, and this one waits to pass it on.
    const wait = (signal) => (this.stoppedBy = signal);
    const end = (signal) => child.kill(wait(signal));
    process.on('SIGINT', wait).on('SIGTERM', end);
    return new Promise((resolve, reject) => {
      child.on('error', (problem) => reject(this.error(`${program} cannot be run: ${problem.message}`)));
      child.on('close', (code, signal) => resolve({ ...told, status: signal ? 130 : code }));
    }).finally(() => process.off('SIGINT', wait).off('SIGTERM', end));
  }
}

const INSTALL =
  "In the environment of your application: pip install 'serverless-bridge[serverless]'. Or custom.wsgi.pythonBin " +
  'names a Python that has it.';

function probe(program) {
  const answer = spawnSync(program, ['-c', QUESTION], { encoding: 'utf8', cwd: os.tmpdir() });
  const words = answer.status === 0 ? answer.stdout.trim().split(' ') : [];
  if (words.length !== 3) return null;
  const [major, minor] = words.map(Number);
  const isOld = major < 3 || (major === 3 && minor <= NEWEST_THAT_FAILS);
  return { version: `${major}.${minor}`, isOld, hasBridge: words[2] === 'True' };
}

/** The folder that has the package `bridge`, if this plugin lies in one. */
function root() {
  const folder = path.resolve(__dirname, '../../../..');
  return fs.existsSync(path.join(folder, 'bridge', '__main__.py')) ? folder : null;
}

function joined(folder, before) {
  return before ? `${folder}${path.delimiter}${before}` : folder;
}

module.exports = { Python };
