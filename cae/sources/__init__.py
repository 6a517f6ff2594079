"""Where images come from: verified files, as arrays."""
