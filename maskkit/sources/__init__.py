"""What a folder of photos looks like before it is a manifest."""
