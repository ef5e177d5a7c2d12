"""Where faces are in a photo: detectors behind one small interface, and the choice of one face."""
