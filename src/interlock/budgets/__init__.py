"""Hold money, calls and time before they are spent, and give back what was not."""
