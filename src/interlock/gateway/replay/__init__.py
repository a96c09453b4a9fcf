"""The past, decided again: exactly as it was, or under other rules. Nothing here has an effect on any tool."""
