"""Several processes of one command, as torchrun starts them: which this is, and what they tell each other."""
