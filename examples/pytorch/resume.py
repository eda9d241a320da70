"""Stop in the middle of a training, and resume it from a checkpoint."""

import os
import tempfile

from numpy import array as tensor
from numpy import float64

from microgradlib import load, manual_seed, nn, optim, save
from microgradlib.data import DataLoader, TensorDataset
from microgradlib.random import get_state as get_rng_state
from microgradlib.random import set_state as set_rng_state

xs = [[i / 20.0] for i in range(40)]
inputs = tensor(xs, dtype=float64)
targets = tensor([[x * (2.0 - x)] for [x] in xs], dtype=float64)
dataset = TensorDataset(inputs, targets)


def build():
    model = nn.Sequential(nn.Linear(1, 8), nn.Softplus(), nn.Dropout(0.1), nn.Linear(8, 1))
    model.double()
    optimizer = optim.Adam(model.parameters(), lr=0.05, amsgrad=True)
    warmup = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=3)
    decay = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
    scheduler = optim.lr_scheduler.SequentialLR(optimizer, [warmup, decay], milestones=[3])
    return model, optimizer, scheduler


def train(model, optimizer, scheduler, epochs):
    loss_fn = nn.HuberLoss(delta=0.5)
    losses = []
    for _ in range(epochs):
        for x, y in DataLoader(dataset, batch_size=5, shuffle=True):
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
    return losses


path = os.path.join(tempfile.mkdtemp(), "checkpoint")
manual_seed(5)
model, optimizer, scheduler = build()
losses = train(model, optimizer, scheduler, 5)
checkpoint = {
    "model": model.state_dict(),
    "optimizer": optimizer.state_dict(),
    "scheduler": scheduler.state_dict(),
    "random": get_rng_state(),
}
save(checkpoint, path)
expected = train(model, optimizer, scheduler, 5)

manual_seed(6)
model, optimizer, scheduler = build()
checkpoint = load(path)
print(model.load_state_dict(checkpoint["model"]))
optimizer.load_state_dict(checkpoint["optimizer"])
scheduler.load_state_dict(checkpoint["scheduler"])
set_rng_state(checkpoint["random"])
resumed = train(model, optimizer, scheduler, 5)
print("the same losses" if resumed == expected else f"{resumed} instead of {expected}")
losses += resumed
print(f"loss {losses[0]:.5f}, {losses[39]:.5f} when it stopped, {losses[-1]:.5f}")
