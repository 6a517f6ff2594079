"""Where images come from: one data set a module, as verified arrays.

A new one is a module with a `fetch` that returns images and labels, uint8, of a training and a test part, and
the names of the classes; `stages/prepare.py` calls it.
"""
