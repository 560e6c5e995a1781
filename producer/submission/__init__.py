"""From what a user asked for to rows of jobs: pictures become hashes, auto becomes values."""
