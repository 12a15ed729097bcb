"""The certificate of a domain in AWS Certificate Manager."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.dev.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.dev.deploying.aws import AwsClients
    from bridge.dev.deploying.stack_settings import StackSettings


def find_certificate(clients: AwsClients, stack: StackSettings) -> StackSettings:
    """Return the stack with the certificate of its domain, if it has a domain and names no certificate.

    A load balancer may have the certificate already; then none is needed.

    Raises:
        CommandError: the region has no valid certificate for the domain.
    """
    if stack.domain is None or stack.certificate is not None:
        return stack
    pages = clients.client("acm").get_paginator("list_certificates").paginate(CertificateStatuses=["ISSUED"])
    for page in pages:
        for summary in page["CertificateSummaryList"]:
            names = [summary["DomainName"], *summary.get("SubjectAlternativeNameSummaries", ())]
            if _is_for(stack.domain, names):
                return replace(stack, certificate=summary["CertificateArn"])
    if stack.front_door == "alb":
        return stack
    raise CommandError(
        f"--domain {stack.domain}: Certificate Manager has no valid certificate for it in {clients.region}. Request "
        f"one there: aws acm request-certificate --domain-name {stack.domain} --validation-method DNS"
    )


def _is_for(domain: str, names: Iterable[str]) -> bool:
    """Return whether a certificate with these names is for *domain*; ``*`` stands for one part of a name."""
    parent = domain.partition(".")[2]
    return any(name.lower() in (domain.lower(), f"*.{parent}".lower()) for name in names)
