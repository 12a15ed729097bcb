"""What the handler of OpenTelemetry's layer does."""

import os
from importlib import import_module

from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor

AwsLambdaInstrumentor().instrument()
module, _, name = os.environ["ORIG_HANDLER"].rpartition(".")
lambda_handler = getattr(import_module(module), name)
