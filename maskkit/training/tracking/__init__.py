"""A training told to a tracker while it runs; the history file beside the checkpoint is always written too."""
