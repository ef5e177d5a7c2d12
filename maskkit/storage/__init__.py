"""Places that are not of this machine: objects of a store, by their addresses."""
