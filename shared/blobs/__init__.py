"""Object storage behind one Protocol: a folder, or an S3 bucket."""
