"""What a run did: its calls, each with one outcome, and the texts that it saw."""
