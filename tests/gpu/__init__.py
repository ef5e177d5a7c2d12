"""What holds on one GPU and how fast it is there: `make test-cuda`."""
