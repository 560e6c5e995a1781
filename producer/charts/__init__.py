"""Plots of losses and of what was gained at what cost."""
