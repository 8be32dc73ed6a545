"""REINFORCE on a pole that must be kept upright: log-probabilities are kept while playing, and the loss is their sum."""

from itertools import count

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

eps = np.finfo(np.float32).eps.item()


class Pole:
    """x, its speed, the angle and its speed; a push to the left or the right; over when it falls."""

    def __init__(self, rng):
        self.rng = rng

    def reset(self):
        self.state = self.rng.uniform(-0.05, 0.05, size=4)
        return self.state.astype(np.float32)

    def step(self, action):
        x, v, a, w = self.state
        force = 10.0 if action == 1 else -10.0
        push = (force + 0.05 * w**2 * np.sin(a)) / 1.1
        dw = (9.8 * np.sin(a) - np.cos(a) * push) / (0.5 * (4 / 3 - 0.1 * np.cos(a) ** 2 / 1.1))
        dv = push - 0.05 * dw * np.cos(a) / 1.1
        self.state = np.array([x + 0.02 * v, v + 0.02 * dv, a + 0.02 * w, w + 0.02 * dw])
        done = bool(abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.21)
        return self.state.astype(np.float32), 1.0, done


class Policy(nn.Module):
    def __init__(self):
        super(Policy, self).__init__()
        self.affine1 = nn.Linear(4, 32)
        self.affine2 = nn.Linear(32, 2)
        self.saved_log_probs = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.affine2(x), dim=1)


def select_action(policy, state, rng):
    state = torch.from_numpy(state).float().unsqueeze(0)
    probs = policy(state)
    m = Categorical(probs)
    # m.sample(), from the same stream in both libraries
    action = torch.tensor([int(rng.uniform() < probs[0, 1].item())])
    policy.saved_log_probs.append(m.log_prob(action))
    return action.item(), m.entropy()


def finish_episode(policy, optimizer, gamma=0.99):
    R = 0
    policy_loss = []
    returns = []
    for r in policy.rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    for log_prob, R in zip(policy.saved_log_probs, returns):
        policy_loss.append(-log_prob * R)
    optimizer.zero_grad()
    policy_loss = torch.cat(policy_loss).sum()
    policy_loss.backward()
    optimizer.step()
    del policy.rewards[:]
    del policy.saved_log_probs[:]
    return policy_loss.item()


def main(rng, begin):
    env = Pole(rng)
    policy = Policy()
    begin(policy)
    optimizer = optim.Adam(policy.parameters(), lr=1e-2)
    losses = []
    for _ in range(6):
        state, entropies = env.reset(), 0.0
        for t in count():
            action, entropy = select_action(policy, state, rng)
            state, reward, done = env.step(action)
            policy.rewards.append(reward)
            entropies += entropy.item()
            if done or t > 60:
                break
        losses += [finish_episode(policy, optimizer), entropies / (t + 1)]
    return losses
