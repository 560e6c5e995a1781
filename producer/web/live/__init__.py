"""What changes while a page is open: sweeps that are watched, and the streams that tell of them."""
