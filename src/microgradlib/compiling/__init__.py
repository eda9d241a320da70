"""compile: a function as source that computes the same numbers many times faster."""
