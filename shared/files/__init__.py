"""Files and folders of this machine: paths as users write them, small files read, results written atomically."""
