"""Learn where a pattern repeats: a block of causal attention written from Linear layers."""

from math import inf, sqrt

from torch import arange, float64, manual_seed, nn, ones, optim, tensor, tril, where
from torch.nn import functional as F

WORDS = ["abcabcab", "bcdbcdbc", "cadcadca", "dabdabda"]
LETTERS = "abcd"


class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)
        self.key = nn.Linear(size, size, bias=False)
        self.value = nn.Linear(size, size, bias=False)
        self.out = nn.Linear(size, size)

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.swapaxes(1, 2) / sqrt(x.shape[2])
        visible = tril(ones((x.shape[1], x.shape[1]), dtype=float64)) > 0
        weights = F.softmax(where(visible, scores, -inf), dim=-1)
        return self.out(weights @ v)


class Model(nn.Module):
    def __init__(self, letters, length, size):
        super().__init__()
        self.tokens = nn.Embedding(letters, size)
        self.positions = nn.Embedding(length, size)
        self.norms = nn.ModuleList([nn.LayerNorm(size) for _ in range(3)])
        self.attention = Attention(size)
        self.mlp = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size))
        self.head = nn.Linear(size, letters, bias=False)

    def forward(self, x):
        x = self.tokens(x) + self.positions(arange(x.shape[1]))
        x = x + self.attention(self.norms[0](x))
        x = x + self.mlp(self.norms[1](x))
        return self.head(self.norms[2](x))


manual_seed(1337)
tokens = tensor([[LETTERS.index(letter) for letter in word] for word in WORDS])
inputs, targets = tokens[:, :-1], tokens[:, 1:]

model = Model(len(LETTERS), inputs.shape[1], 8).double()
optimizer = optim.AdamW(model.parameters(), lr=0.01, betas=(0.9, 0.95))
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.03, total_steps=50)

print(f"{sum(p.numel() for p in model.parameters())} parameters")
losses = []
for step in range(50):
    logits = model(inputs)
    loss = F.cross_entropy(logits.reshape(-1, len(LETTERS)), targets.reshape(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
    if step % 10 == 9:
        print(f"step {step}: loss {losses[-1]:.4f}")
