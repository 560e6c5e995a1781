"""Image files to upright sRGB pictures, and pictures back to files."""
