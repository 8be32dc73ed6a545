"""A tutorial's classifier: a small CNN on 8 x 8 digits, with the loop that tutorials have."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


class LeNet(nn.Module):
    def __init__(self, num_classes=10):
        super(LeNet, self).__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Conv2d(6, 16, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.fc1 = nn.Linear(16 * 2 * 2, 32)
        self.fc2 = nn.Linear(32, num_classes)

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def evaluate(model, loader, device):
    model.eval()
    correct = 0
    total = 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            outputs = model(images)
            _, predicted = torch.max(outputs.data, 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    return 100 * correct / total


def main(digits, labels, begin, path):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images = torch.from_numpy(digits).float().unsqueeze(1) / 16.0
    targets = torch.tensor(labels, dtype=torch.int64)
    train_loader = DataLoader(TensorDataset(images[:400], targets[:400]), batch_size=50, shuffle=False)
    test_loader = DataLoader(TensorDataset(images[400:600], targets[400:600]), batch_size=100, shuffle=False)

    model = LeNet().to(device)
    begin(model)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)

    losses = []
    for epoch in range(6):
        model.train()
        running_loss = 0.0
        for i, (inputs, target) in enumerate(train_loader):
            inputs, target = inputs.to(device), target.to(device)
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = criterion(outputs, target)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        losses.append(running_loss / len(train_loader))
        scheduler.step()
        print("[%d] loss: %.3f lr: %g" % (epoch + 1, losses[-1], optimizer.param_groups[0]["lr"]))

    accuracy = evaluate(model, test_loader, device)
    torch.save(model.state_dict(), path)
    restored = LeNet()
    restored.load_state_dict(torch.load(path))
    assert evaluate(restored, test_loader, device) == accuracy
    losses.append(1 - accuracy / 100)
    return losses
