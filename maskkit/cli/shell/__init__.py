"""What every command shares: streams, the terminal, recipes, common options."""
