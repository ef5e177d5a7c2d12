"""Models by name, their weights, and the losses that train them."""
