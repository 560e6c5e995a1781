"""What both sides of the farm agree on."""

__version__ = "0.1.0"
