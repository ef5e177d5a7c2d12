"""How options are declared, written, read and checked."""
