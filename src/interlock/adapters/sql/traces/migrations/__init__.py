"""The steps that bring the tables of the span store up to date."""
