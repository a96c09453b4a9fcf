"""The append-only trail: what happened, committed together with its happening."""
