"""What make reproduce, audit, portable, fuzz and sanitize run, and the tables of the READMEs."""
