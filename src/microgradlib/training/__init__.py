"""Training steps as one function in machine code."""
