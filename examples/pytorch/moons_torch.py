"""Tell two half circles apart: mini-batches, a schedule and clipped gradients."""

from sklearn.datasets import make_moons
from torch import float64, manual_seed, nn, no_grad, optim, tensor
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, x):
        return self.layers(x)[:, 0]


def accuracy(model, points, labels):
    with no_grad():
        return ((model(points) > 0) == (labels > 0.5)).sum().item() / len(labels)


manual_seed(1)
points, labels = make_moons(200, noise=0.1, random_state=0)
points, labels = tensor(points, dtype=float64), tensor(labels, dtype=float64)
loader = DataLoader(TensorDataset(points, labels), batch_size=20, shuffle=True)

model = Net(8).double()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = optim.SGD(model.parameters(), lr=1.0, momentum=0.9, nesterov=True)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=0.01)

print(model)
losses = []
for epoch in range(8):
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    rate = scheduler.get_last_lr()[0]
    print(f"epoch {epoch}: loss {losses[-1]:.4f}, last gradient {norm:.4f}, next rate {rate:.4f}")
print(f"accuracy {accuracy(model, points, labels):.1%}")
