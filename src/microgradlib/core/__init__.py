"""The engine: primitives and their derivatives, the graph, backpropagation."""
