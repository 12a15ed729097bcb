"""What ``bridge init`` writes: the files that deploy an application, one set for each tool.

:mod:`~bridge.dev.deploying.deployment` has the tools and the settings of a deployment, with which
:mod:`~bridge.dev.deploying.template_files` fills the folder ``templates``; :mod:`~bridge.dev.deploying.iam_policy`
makes ``policy.json``.
"""
