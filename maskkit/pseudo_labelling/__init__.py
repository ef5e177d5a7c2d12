"""Labels that models give to photos without one, and whom these may train."""
