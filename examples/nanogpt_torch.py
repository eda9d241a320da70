"""The model of nanogpt.py in PyTorch, to compare with and to exchange weights.

``python examples/nanogpt_torch.py first.safetensors`` writes its first weights, with which
``python examples/gpt.py --load first.safetensors`` begins.
"""

import argparse
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from nanogpt import GPTConfig
from safetensors.torch import save_model
from torch import Tensor, nn
from torch.nn import functional as F


class CausalSelfAttention(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.attn_dropout = nn.Dropout(config.dropout)
        self.resid_dropout = nn.Dropout(config.dropout)
        self.n_head = config.n_head
        seen = torch.ones(config.block_size, config.block_size, dtype=torch.bool).tril()
        self.register_buffer("seen", seen, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, positions, channels = x.shape
        heads = (batch, positions, self.n_head, channels // self.n_head)
        query, key, value = (
            part.view(heads).transpose(1, 2) for part in self.c_attn(x).chunk(3, -1)
        )
        scores = query @ key.transpose(-2, -1) / sqrt(heads[-1])
        unseen = ~self.seen[:positions, :positions]
        shares = F.softmax(scores.masked_fill(unseen, -torch.inf), dim=-1)
        mixed = self.attn_dropout(shares) @ value
        return self.resid_dropout(self.c_proj(mixed.transpose(1, 2).reshape(x.shape)))


class MLP(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU()
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(config.vocab_size, config.n_embd),
                "wpe": nn.Embedding(config.block_size, config.n_embd),
                "drop": nn.Dropout(config.dropout),
                "h": nn.ModuleList([Block(config) for _ in range(config.n_layer)]),
                "ln_f": nn.LayerNorm(config.n_embd, bias=config.bias),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.apply(self._start)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(p, mean=0.0, std=0.02 / sqrt(2 * config.n_layer))

    def _start(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the token after each of these, a row for each document."""
        part: Any = self.transformer
        x = part.drop(part.wte(tokens) + part.wpe(torch.arange(tokens.shape[-1])))
        for block in part.h:
            x = block(x)
        return self.lm_head(part.ln_f(x))


def main() -> None:
    """Write the first weights."""
    parser = argparse.ArgumentParser(description="Write the first weights of the model.")
    parser.add_argument("file", type=Path, help="a .safetensors file")
    parser.add_argument("--seed", type=int, default=1337, help="the seed of the weights")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    save_model(GPT(GPTConfig()), str(options.file))
    print(f"wrote {options.file}")


if __name__ == "__main__":
    main()
