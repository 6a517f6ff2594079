"""Reproducible autoencoders for grey and colour images."""
