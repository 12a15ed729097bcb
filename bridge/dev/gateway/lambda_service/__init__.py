"""The Lambda service on this machine: processes of a function, and a Runtime API for each."""

from __future__ import annotations

from bridge.dev.gateway.invocation import FunctionError, ReceivedStream
from bridge.dev.gateway.lambda_service.service import LambdaService

__all__ = ["FunctionError", "LambdaService", "ReceivedStream"]
