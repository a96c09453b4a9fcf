"""Asks models: over HTTP at each kind of provider, or from a script or a recording."""
