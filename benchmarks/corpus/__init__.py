"""Recorded runs of real models, played through a running Interlock."""
