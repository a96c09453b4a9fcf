"""Spans in OTLP over HTTP: what comes in and what goes out."""
