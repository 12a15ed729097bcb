"""A tea shop with Django."""
