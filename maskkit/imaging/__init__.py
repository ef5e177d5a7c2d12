"""From a file to pixels a model can take."""
