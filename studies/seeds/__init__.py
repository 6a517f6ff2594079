"""How much results vary between seeds, and how many networks learn nothing."""
