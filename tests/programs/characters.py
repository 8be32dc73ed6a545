"""A character RNN: an embedding, an LSTM whose state is carried from batch to batch, clipping, and text that it writes."""

import torch
import torch.nn as nn

TEXT = "the quick brown fox jumps over the lazy dog and the slow red hen looks on. " * 4


class CharRNN(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, num_layers):
        super(CharRNN, self).__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, num_layers, batch_first=True)
        self.linear = nn.Linear(hidden_size, vocab_size)

    def forward(self, x, h):
        x = self.embed(x)
        out, (h, c) = self.lstm(x, h)
        out = out.reshape(out.size(0) * out.size(1), out.size(2))
        out = self.linear(out)
        return out, (h, c)

    def init_hidden(self, batch_size):
        weight = next(self.parameters()).data
        return (weight.new_zeros(self.num_layers, batch_size, self.hidden_size),
                weight.new_zeros(self.num_layers, batch_size, self.hidden_size))


def detach(states):
    return [state.detach() for state in states]


def main(rng, begin):
    chars = sorted(list(set(TEXT)))
    stoi = {ch: i for i, ch in enumerate(chars)}
    batch_size, seq_length = 4, 12
    ids = torch.tensor([stoi[c] for c in TEXT], dtype=torch.long)
    num_batches = ids.size(0) // batch_size
    ids = ids[: num_batches * batch_size].view(batch_size, -1)

    model = CharRNN(len(chars), 8, 16, 2)
    begin(model)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        states = model.init_hidden(batch_size)
        for i in range(0, ids.size(1) - seq_length, seq_length):
            inputs = ids[:, i : i + seq_length]
            targets = ids[:, (i + 1) : (i + 1) + seq_length]
            states = detach(states)
            outputs, states = model(inputs, states)
            loss = criterion(outputs, targets.reshape(-1))
            model.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())

    with torch.no_grad():
        state, text = model.init_hidden(1), []
        input = torch.tensor([[stoi["t"]]])
        for _ in range(10):
            output, state = model(input, state)
            prob = output.exp() / output.exp().sum()
            assert 0 <= torch.multinomial(prob, num_samples=1).item() < len(chars)
            word_id = prob.argmax(dim=1)
            input.fill_(word_id.item())
            text.append(chars[word_id.item()])
    losses.append(prob.max().item())
    assert len("".join(text)) == 10
    return losses
