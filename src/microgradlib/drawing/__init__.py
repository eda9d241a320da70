"""Drawings of the graph, and backpropagation step by step."""
