"""Optimizers over pixels: L-BFGS, Adam, SGD, and their state."""
