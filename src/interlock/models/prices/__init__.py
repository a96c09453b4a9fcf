"""What a model's tokens cost, when, and how surely: a reviewed snapshot, a user's own prices over it, exact sums."""
