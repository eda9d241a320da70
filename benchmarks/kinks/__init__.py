"""What libraries return at kinks and singular points, beside what ``docs/kinks.md`` says."""
