"""How well each class of Fashion-MNIST is told from the nine others by networks trained on it alone."""
