"""How an application is called: WSGI without an event loop, ASGI on one loop for the life of the process."""
