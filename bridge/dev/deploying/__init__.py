"""The files that deploy an application, a set for each tool: what ``bridge init`` writes.

:mod:`~bridge.dev.deploying.detect` finds the application in a project's source, file by file read by
:mod:`~bridge.dev.deploying.source`; :mod:`~bridge.dev.deploying.plan` is what is known of the deployment;
:mod:`~bridge.dev.deploying.text` fills it into the files of ``templates``; :mod:`~bridge.dev.deploying.policy` is what
the one who deploys must be allowed.
"""
