"""How many tokens a text, an image or a request is, told without a network."""
