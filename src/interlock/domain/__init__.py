"""What everything else is said in: frozen values, typed errors, canonical JSON. No I/O, no clock, no randomness at import."""
