"""What a Value can be asked for as a tensor of one number in PyTorch."""

from typing import Any, Self

from microgradlib.absent import AbsentOperators
from microgradlib.modes import interpreter


class TensorMethods(AbsentOperators):
    """Methods of PyTorch's tensors that need no primitive."""

    __slots__ = ()

    data: Any
    requires_grad: Any
    _op: Any

    def item(self) -> float:
        """Return the number, as ``data`` is."""
        return self.data  # type: ignore[no-any-return]

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad``, and return the Value."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made and not computed, or needs no gradient."""
        current = interpreter()
        computed = self._op if current is None else current.read(self, "op")
        return not (computed and self.requires_grad)

    def numel(self) -> int:
        """Return 1, the number of numbers in a Value."""
        return 1
