"""The engine: tensors in, Progress out. It knows no queue, no database and no bucket, and prints nothing."""
