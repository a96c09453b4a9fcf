"""Conditions written in CEL, evaluated by the Rust implementation."""

from interlock.adapters.cel.conditions import CelConditions

__all__ = ["CelConditions"]
