"""What a module holds: parameters, buffers and parts; how they are found, saved and loaded."""
