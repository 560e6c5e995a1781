"""Contact sheets: which jobs are on one, how small their pictures are, and how it is drawn or written as a page."""
