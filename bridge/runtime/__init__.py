"""A Lambda Runtime API client on one event loop: streaming, many requests at once, work after the answer.

``python -m bridge.runtime [APP]`` runs it. The protocol:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and, for streams,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
"""
