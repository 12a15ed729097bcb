"""How applications are called."""
