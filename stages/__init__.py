"""What DVC runs: one door a stage."""
