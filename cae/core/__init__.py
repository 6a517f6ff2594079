"""What every other room stands on: errors, arrays, files, parameters, splits, the pinned environment."""
