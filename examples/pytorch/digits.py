"""Read handwritten digits: dropout, a split for validation, and early stopping."""

from copy import deepcopy

from numpy import array as tensor
from numpy import float64
from sklearn.datasets import load_digits

from microgradlib import manual_seed, nn, no_grad, optim
from microgradlib.data import DataLoader, TensorDataset, random_split
from microgradlib.nn import functional as F

PATIENCE = 2


class Classifier(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.dropout = nn.Dropout(0.2)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


def validate(model, loader):
    model.eval()
    total, right, count = 0.0, 0, 0
    with no_grad():
        for x, y in loader:
            scores = model(x)
            total += F.cross_entropy(scores, y, reduction="sum").item()
            right += (scores.argmax(axis=1) == y).sum().item()
            count += len(y)
    return total / count, right / count


manual_seed(42)
digits = load_digits()
images = tensor(digits.data[:400] / 16.0, dtype=float64)
dataset = TensorDataset(images, tensor(digits.target[:400]))
training, validation = random_split(dataset, [300, 100])
train_loader = DataLoader(training, batch_size=30, shuffle=True, drop_last=True)
validation_loader = DataLoader(validation, batch_size=50)

model = Classifier(64, 16, 10).double()
optimizer = optim.Adam(model.parameters(), lr=0.03, weight_decay=1e-4)

losses, best, waited = [], float("inf"), 0
for epoch in range(20):
    model.train()
    for x, y in train_loader:
        loss = F.cross_entropy(model(x), y, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    average, accuracy = validate(model, validation_loader)
    print(f"epoch {epoch}: validation loss {average:.4f}, accuracy {accuracy:.0%}")
    if average < best:
        best, weights, waited = average, deepcopy(model.state_dict()), 0
    else:
        waited += 1
        if waited == PATIENCE:
            break
model.load_state_dict(weights)
average, accuracy = validate(model, validation_loader)
losses.append(average)
print(f"stopped after {epoch + 1} epochs: loss {average:.4f}, accuracy {accuracy:.0%}")
