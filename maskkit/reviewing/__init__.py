"""Labels that a person decides on in a browser: what is asked, what was decided, and the pages of both."""
