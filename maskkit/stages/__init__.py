"""One pipeline step per file, a function named like its file: artifacts in, artifacts out."""
