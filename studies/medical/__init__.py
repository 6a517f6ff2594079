"""Lesions in a head CT, detected by a network that was trained on tiles without lesions."""
