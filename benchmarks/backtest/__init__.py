"""The past under other rules: how fast, and what the report says over the recorded corpus."""
