"""How well networks trained on one class of Fashion-MNIST detect the nine others."""
