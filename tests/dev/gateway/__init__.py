"""The front doors on this machine: what they pass on, what they refuse, and how they are served."""
