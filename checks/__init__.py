"""make reproduce, make audit, the tables of the pages and of the terminal, and the page of dvc plots."""
