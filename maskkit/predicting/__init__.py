"""From checkpoints to predictions: inference, votes, consensus, adjustments."""
