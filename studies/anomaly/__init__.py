"""How well the nine other classes are told from the one that a network was trained on."""
