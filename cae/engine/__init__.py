"""How a network learns: the loop, steps in shards, the fast twin and its operations in C, resume, workers."""
