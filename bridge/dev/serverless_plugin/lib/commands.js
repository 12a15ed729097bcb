'use strict';

// The commands `sls wsgi …` and their options, as the framework declares commands. `--command` has no short form: `-c`
// is the framework's own `--config`.

const option = (type, usage, shortcut) => ({ type, usage, ...(shortcut && { shortcut }) });

const SERVE_OPTIONS = {
  port: option('string', 'Port, default 5000; 0 for a free port', 'p'),
  host: option('string', 'Address, default localhost; 0.0.0.0 for all addresses of this machine'),
  source: option('string', 'Front door: rest-api, http-api, function-url, alb …; default that of the events'),
  plain: option('boolean', 'Serve the application itself, without a front door'),
  'disable-threading': option('boolean', 'Answer one request at a time'),
  'num-processes': option('string', 'Number of processes; must be 1'),
  ssl: option('boolean', 'Serve https with a self-signed certificate'),
  'ssl-pub': option('string', 'Serve https with this certificate'),
  'ssl-pri': option('string', 'The private key of --ssl-pub'),
};

// The commands that run in a function. As in serverless-wsgi, `-f` is --file where there is one, else --function.
const REMOTE_COMMANDS = {
  exec: { usage: 'Run Python code', code: 'Python code to run', shortcut: 'file' },
  command: { usage: 'Run a shell command', code: 'Shell command to run', shortcut: 'file' },
  manage: { usage: 'Run a Django management command', code: 'Management command to run', shortcut: 'function' },
  flask: { usage: 'Run a Flask command', code: 'Flask command to run', shortcut: 'function' },
};

function remoteCommand(name) {
  const { usage, code, shortcut } = REMOTE_COMMANDS[name];
  const options = {
    command: option('string', code),
    file: option('string', 'A file with it; - for standard input', shortcut === 'file' && 'f'),
    function: option(
      'string',
      'The function, as serverless.yml names it; default the first that serves an application',
      shortcut === 'function' && 'f'
    ),
  };
  return {
    usage: `${usage} in the deployed function`,
    lifecycleEvents: [name],
    options,
    commands: { local: { usage: `${usage} on this machine`, lifecycleEvents: [name], options } },
  };
}

const commands = {
  wsgi: {
    usage: 'Serve and package Python web applications, and run commands in their functions',
    type: 'container',
    commands: {
      serve: { usage: 'Serve the application on this machine', lifecycleEvents: ['serve'], options: SERVE_OPTIONS },
      install: { usage: 'Make the artifacts, as `sls package` does', lifecycleEvents: ['install'] },
      clean: { usage: 'Remove the artifacts', lifecycleEvents: ['clean'] },
      ...Object.fromEntries(Object.keys(REMOTE_COMMANDS).map((name) => [name, remoteCommand(name)])),
    },
  },
};

module.exports = { commands, remoteCommands: Object.keys(REMOTE_COMMANDS) };
