"""What is fitted on out-of-fold predictions: weights, temperatures, offsets, and what they gain."""
