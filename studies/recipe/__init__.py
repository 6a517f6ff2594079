"""How the default recipe was chosen."""
