"""The stages of the pipeline: one function per stage, run by DVC, by studies and by tests alike.

A stage is a function `stage(project, settings)` that returns its results by their paths. `runner` gives it
what dvc.yaml declares, and writes what it returns.
"""
