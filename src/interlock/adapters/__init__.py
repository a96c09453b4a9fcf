"""Everything that goes out: databases, tools, policy engines. Each implements a port by name."""
