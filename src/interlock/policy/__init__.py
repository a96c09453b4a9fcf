"""From a call and its facts to a decision. Pure: no clock, no network, no database."""
