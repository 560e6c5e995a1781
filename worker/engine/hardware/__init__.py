"""The device, its memory, what fits into it, and CUDA graphs."""
