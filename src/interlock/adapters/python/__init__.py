"""Tools that are Python functions, typed, in this process."""
