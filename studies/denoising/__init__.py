"""Denoising: how much of an image is restored, by networks and by filters."""
