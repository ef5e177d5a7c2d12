"""A training told to a tracker while it runs, beside the history file, which is always written."""
