"""A client of the Lambda Runtime API: response streaming, concurrent invocations, and work after the response.

``python -m bridge.runtime [APP]`` runs it. ``runtime`` answers one invocation at a time and waits in the main thread,
``concurrent_runtime`` answers several on an event loop. Both use ``client``, and the messages in ``api_messages``.
"""
