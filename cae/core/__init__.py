"""What every other package builds on: errors, arrays, files, settings, fingerprints, the environment."""
