"""Predict the next letter: shared and frozen parameters, and parameter groups."""

from numpy import array as tensor
from numpy import float64

from microgradlib import manual_seed, nn, optim
from microgradlib.nn import functional as F

WORDS = ["banana", "bandana", "ananas", "cabana", "canada"]


class Language(nn.Module):
    def __init__(self, letters, size):
        super().__init__()
        self.embedding = nn.Embedding(letters, size)
        self.mixing = nn.Linear(2 * size, size)
        self.scale = nn.Parameter(tensor([1.0] * size, dtype=float64))
        self.head = nn.Linear(size, letters, bias=False)
        self.head.weight = self.embedding.weight  # one matrix, in two places
        self.register_buffer("shift", tensor([0.1] * size, dtype=float64))

    def forward(self, pairs):
        embedded = self.embedding(pairs).reshape(len(pairs), -1)
        hidden = F.silu(self.mixing(embedded)) * self.scale + self.shift
        return self.head(hidden)


manual_seed(7)
letters = sorted(set("".join(WORDS)))
pairs, targets = [], []
for word in WORDS:
    codes = [letters.index(letter) for letter in word]
    for i in range(len(word) - 2):
        pairs.append(codes[i : i + 2])
        targets.append(codes[i + 2])
pairs, targets = tensor(pairs), tensor(targets)

model = Language(len(letters), 6).double()
for name, p in model.named_parameters():
    print(f"{name:16} {tuple(p.shape)}")
groups = [
    {"params": [*model.embedding.parameters(), *model.mixing.parameters()], "weight_decay": 0.1},
    {"params": [model.scale], "lr": 0.1},
]
optimizer = optim.AdamW(groups, lr=0.02)

losses = []
for step in range(60):
    if step == 20:
        model.mixing.requires_grad_(False)
    if step == 40:
        model.mixing.weight.requires_grad = True
        optimizer.param_groups[0]["lr"] = 0.005
    optimizer.zero_grad()
    loss = F.cross_entropy(model(pairs), targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 10 == 9:
        print(f"step {step}: loss {losses[-1]:.4f}")
print(sorted(model.state_dict()))
