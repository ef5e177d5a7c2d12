"""The training loop, and what it is handed."""
