"""make reproduce, and the tables of README.md and of the terminal."""
