"""Which batch size and learning rate suit the default network."""
