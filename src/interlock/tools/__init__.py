"""What tools there are, as reviewed, and whether a call fits them."""
