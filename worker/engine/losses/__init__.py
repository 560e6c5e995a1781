"""Content, style and total-variation losses, and their targets."""
