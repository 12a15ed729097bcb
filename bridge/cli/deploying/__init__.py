"""The files that deploy an application, a set for each tool: what ``bridge init`` writes.

:mod:`~bridge.cli.deploying.detect` finds the application in a project's source, file by file read by
:mod:`~bridge.cli.deploying.source`; :mod:`~bridge.cli.deploying.plan` is what is known of the deployment;
:mod:`~bridge.cli.deploying.text` fills it into the files of ``templates``; :mod:`~bridge.cli.deploying.policy` is what
the one who deploys must be allowed.
"""
