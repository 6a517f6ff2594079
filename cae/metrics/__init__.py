"""Pure functions and fitted things that give numbers; nothing here draws or trains a network."""
