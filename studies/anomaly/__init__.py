"""Trained on one class of Fashion-MNIST alone, how well are the nine others told from it?"""
