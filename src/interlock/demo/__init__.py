"""A day at a small shop whose support agent works through Interlock: `interlock demo`."""
