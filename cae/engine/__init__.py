"""Training: the loop, steps in shards, exact arithmetic and convolutions in C, checkpoints, workers."""
