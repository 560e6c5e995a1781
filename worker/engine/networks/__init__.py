"""Feature networks, their kernels, strips for large pictures, and weight formats."""
