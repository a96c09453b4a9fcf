"""Spans and the sums of runs on SQLite and PostgreSQL, in tables of their own."""
