"""What is too long for a test."""
