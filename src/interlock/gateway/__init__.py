"""The roads through the system. Here the tool call: one road, on one screen."""
