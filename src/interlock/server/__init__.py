"""Everything that comes in. A route parses, calls one use case, renders."""
