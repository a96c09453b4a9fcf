"""Who is calling, and with which rights: keys, run tokens, scopes."""
