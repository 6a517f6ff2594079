"""Defects on a texture, detected by a network that was trained on images without defects."""
