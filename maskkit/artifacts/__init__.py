"""What travels between stages: manifests, predictions and checkpoints, with one shared header."""
