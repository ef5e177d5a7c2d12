def with_synthetic(fold, *, neighbors, seed):
    return fold
