"""What a person decides about labels: corrections of the truth, and what is trained on in its place."""
