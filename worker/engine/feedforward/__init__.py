"""Networks that render a picture in one pass, once they are trained: layers, files, and how each is applied."""
