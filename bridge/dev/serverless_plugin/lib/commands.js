'use strict';

// The commands and their options, as the Serverless Framework wants them described. `-c` is the framework's own option
// `--config` since its third edition, so `--command` has no short form.

const flag = (type, usage, shortcut) => ({ type, usage, ...(shortcut && { shortcut }) });

const FUNCTION = 'The function, as serverless.yml names it; default the first that serves an application';

const SERVE = {
  port: flag('string', 'Port, default 5000; 0 for any free one', 'p'),
  host: flag('string', 'Address, default localhost; 0.0.0.0 for all of this machine'),
  source: flag('string', 'The front door to play: rest-api, http-api, function-url, alb …; default what the events say'),
  plain: flag('boolean', 'Serve the application itself, without a front door'),
  'disable-threading': flag('boolean', 'Answer one request at a time'),
  'num-processes': flag('string', 'There is one process, so this is 1'),
  ssl: flag('boolean', 'Serve https with a certificate made for it'),
  'ssl-pub': flag('string', 'Serve https with this certificate …'),
  'ssl-pri': flag('string', '… and its key'),
};

// What each command runs, and the short form of its option that needs one: `-f` was the file's where there was a file.
const REMOTE = {
  exec: { usage: 'Run Python code', takes: 'Code to run', short: 'file' },
  command: { usage: 'Run a line or a script of the shell', takes: 'Line to run', short: 'file' },
  manage: { usage: "Run one of Django's management commands", takes: 'The command', short: 'function' },
  flask: { usage: "Run one of Flask's commands", takes: 'The command', short: 'function' },
};

function remote(name) {
  const { usage, takes, short } = REMOTE[name];
  const options = {
    command: flag('string', takes),
    file: flag('string', 'A file with it', short === 'file' && 'f'),
    function: flag('string', FUNCTION, short === 'function' && 'f'),
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
    usage: 'Serve, package and look into Python applications',
    type: 'container',
    commands: {
      serve: { usage: 'Serve the application on this machine', lifecycleEvents: ['serve'], options: SERVE },
      install: { usage: 'Make the artifacts, as `package` does', lifecycleEvents: ['install'] },
      clean: { usage: 'Remove the artifacts', lifecycleEvents: ['clean'] },
      ...Object.fromEntries(Object.keys(REMOTE).map((name) => [name, remote(name)])),
    },
  },
};

module.exports = { commands, remotes: Object.keys(REMOTE) };
