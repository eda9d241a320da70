"""Go on with a wave: a recurrent network written from Linear layers."""

from math import pi

from numpy import array as tensor
from numpy import float64, sin, stack, zeros

from microgradlib import manual_seed, nn, optim, tanh
from microgradlib.nn import functional as F


class Recurrent(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size
        self.from_input = nn.Linear(1, size)
        self.from_state = nn.Linear(size, size, bias=False)
        self.to_output = nn.Linear(size, 1)

    def forward(self, x):
        state = zeros((len(x), self.size), dtype=float64)
        outputs = []
        for t in range(x.shape[1]):
            state = tanh(self.from_input(x[:, t : t + 1]) + self.from_state(state))
            outputs.append(self.to_output(state)[:, 0])
        return stack(outputs, 1)


def initialise(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight, gain=nn.init.calculate_gain("tanh"))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


manual_seed(3)
phases = [0.0, 0.5, 1.0, 1.5]
waves = sin(tensor([[2 * pi * (t + p) / 6 for t in range(9)] for p in phases], dtype=float64))
inputs, targets = waves[:, :-1], waves[:, 1:]

model = Recurrent(6).apply(initialise).double()
optimizer = optim.RMSprop(model.parameters(), lr=0.01)
scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.05)

losses = []
for epoch in range(60):
    optimizer.zero_grad()
    loss = F.mse_loss(model(inputs), targets)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.5)
    optimizer.step()
    scheduler.step(loss.item())
    losses.append(loss.item())
    if epoch % 10 == 9:
        print(f"epoch {epoch}: loss {losses[-1]:.5f}, rate {optimizer.param_groups[0]['lr']}")
