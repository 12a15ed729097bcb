"""Deploying an application: ``bridge deploy`` and the commands beside it, and the files that ``bridge init`` writes.

:mod:`~bridge.dev.deploying.function_settings` has the settings of the function for both.

``bridge deploy``: :mod:`~bridge.dev.deploying.deployer` has the steps of a deployment.
:mod:`~bridge.dev.deploying.stack_settings` has its settings, of which :mod:`~bridge.dev.deploying.stack_template` makes
a CloudFormation template, with :mod:`~bridge.dev.deploying.front_door_resources`.
:mod:`~bridge.dev.deploying.artifact_bucket` uploads the artifact. :mod:`~bridge.dev.deploying.change_set` computes and
starts the changes, and :mod:`~bridge.dev.deploying.deployed_stack` waits for their end.
:mod:`~bridge.dev.deploying.function_versions` and :mod:`~bridge.dev.deploying.function_logs` read what is deployed.
:mod:`~bridge.dev.deploying.aws` makes the clients of AWS's APIs, and describes their errors.

``bridge init``: :mod:`~bridge.dev.deploying.init_settings` has its settings and the tools, for which
:mod:`~bridge.dev.deploying.init_files` fills the folder ``init_templates``.

:mod:`~bridge.dev.deploying.iam_policy` has the permissions that a deployment needs, for both.
"""
