"""Spans, whoever made them: one vocabulary, one store, one sum for each run."""
