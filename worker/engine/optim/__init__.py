"""Optimizers over images behind one Protocol, and their state."""
