"""Find the way out of a maze: a network learns what each move is worth, from nothing but walking about.

    python examples/15_dqn_gridworld.py

An agent knows on which of 64 squares it is, and goes up, down, left or right. Each move costs 0.1; a pit costs 2 more
and ends the walk, the exit ends it for nothing. Q(s, a) is what will have been lost, at best, when move a was made on
square s. It is a network (DQN, Mnih et al. 2015), which is trained to make

$$Q(s, a) = r + 0.97 \\max_{a'} Q(s', a')$$

true of moves that were made at some time and led from s to s', drawn from a memory. The right-hand side comes from a
copy of the network which is brought up to date now and then: a network that learned from itself would run in circles.
"""

from pathlib import Path
from typing import Any

import numpy
from common import Options, Training, figure, run, write

import lucid
import lucid.nn as nn
import lucid.optim as optim

MAZE = "..#....# .##.##.. ....#..# .##...#. ...#~... #.#..#.# ..#~.#.. #.....#X".split()  # ~ a pit, X the exit
MOVES = {"↑": (-1, 0), "↓": (1, 0), "←": (0, -1), "→": (0, 1)}
SIDE = len(MAZE)
FREE = [SIDE * i + j for i in range(SIDE) for j in range(SIDE) if MAZE[i][j] == "."]
STEPS, QUICK_STEPS, LR = 4000, 1500, 1e-2
AGENTS, BATCH, MEMORY, COPY_EVERY = 16, 256, 8000, 10


def go(square: int, move: int) -> tuple[int, float, bool]:
    """Where a move leads, what it costs (below 0), and whether the walk ends there. Walls hold."""
    i, j = (at + by for at, by in zip(divmod(square, SIDE), list(MOVES.values())[move], strict=True))
    if not (0 <= i < SIDE and 0 <= j < SIDE) or MAZE[i][j] == "#":
        return square, -0.1, False
    return SIDE * i + j, -2.1 if MAZE[i][j] == "~" else -0.1, MAZE[i][j] in "~X"


def shortest() -> dict[int, int]:
    """How far each square is from the exit: what the agent has to find out, and is never told."""
    far = {SIDE * SIDE - 1: 0}
    for square in far.copy():
        waiting = [square]
        while waiting:
            to = waiting.pop(0)
            near = [s for s in FREE if s not in far and to in (go(s, move)[0] for move in range(4))]
            far |= dict.fromkeys(near, far[to] + 1)
            waiting += near
    return far


def way(moves: numpy.ndarray, square: int) -> int | None:
    """After how many of these moves, one a square, one is at the exit; None if never."""
    for step in range(1, SIDE * SIDE):
        square, _, ends = go(square, moves[square])
        if ends:
            return step if square == SIDE * SIDE - 1 else None
    return None


def picture(path: Path, values: numpy.ndarray, state: dict, right: float) -> None:
    """The maze with what each square is worth and the move to make there, and how the share of right moves grew."""
    page = figure(9.5, 4.6)
    left, curve = page.subplots(1, 2, width_ratios=(5, 4))
    worth = values.max(axis=1).reshape(SIDE, SIDE)
    worth[[[letter != "." for letter in row] for row in MAZE]] = numpy.nan
    left.set_facecolor("#4a5560")
    left.imshow(worth, cmap="YlGn", vmax=0.8)
    for square in range(SIDE * SIDE):
        i, j = divmod(square, SIDE)
        if MAZE[i][j] != "#":
            sign = list(MOVES)[values[square].argmax()] if MAZE[i][j] == "." else {"X": "exit", "~": "pit"}[MAZE[i][j]]
            left.text(j, i, sign, ha="center", va="center", color="black" if MAZE[i][j] == "." else "white")
    left.set(xticks=[], yticks=[], title=f"from {right:.0%} of the squares the shortest way out")
    curve.plot(state["steps"], state["share"], color="#2563a8")
    curve.set(ylim=(0, 1.03), xlabel="step", title="squares that one gets out from")
    write(page, path)


def main(argv: list[str] | None = None) -> float:
    """Train, draw, and return the share of squares from which the moves learned are a shortest way out."""
    quick = f"{QUICK_STEPS} steps instead of {STEPS}"
    options = Options(__doc__, quick=quick, out="out/15_dqn_gridworld.png", resumable=True).parse_args(argv)
    steps = QUICK_STEPS if options.quick else STEPS

    def network() -> nn.Module:
        return nn.Sequential(nn.Embedding(SIDE * SIDE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))

    model, copy = network().to(options.device), network().to(options.device)
    optimizer = optim.Adamax(model.parameters(), lr=LR)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss_of = nn.SmoothL1Loss()
    squares, far = lucid.arange(SIDE * SIDE).to(options.device), shortest()

    table = numpy.array([[go(square, move) for move in range(4)] for square in range(SIDE * SIDE)])  # (64, 4, 3)

    def worth() -> numpy.ndarray:
        with lucid.no_grad():
            return model(squares).cpu().numpy().copy()

    def anywhere() -> numpy.ndarray:
        return numpy.array(FREE)[lucid.randint(0, len(FREE), (AGENTS,)).numpy()]

    # Sixteen agents walk at a time. The memory has five columns: square, move, where it led, what it brought, and
    # whether the walk ended.

    state: dict[str, Any] = {"memory": numpy.zeros((MEMORY, 5)), "at": anywhere(), "steps": [], "share": []}
    for step in Training(options, steps, model=model, copy=copy, optimizer=optimizer, schedule=schedule, state=state):
        values = worth()
        if step % COPY_EVERY == 0:
            copy.load_state_dict(model.state_dict())
            state["steps"].append(step)
            state["share"].append(sum(way(values.argmax(axis=1), square) is not None for square in FREE) / len(FREE))

        # Walk: by chance at first, later mostly as the network says. Now and then one begins anew somewhere else.

        at, by_chance = state["at"], lucid.rand(AGENTS).numpy() < max(0.2, 1 - 2 * step / steps)
        moves = numpy.where(by_chance, lucid.randint(0, 4, (AGENTS,)).numpy(), values[at].argmax(axis=1))
        to, reward, ends = table[at, moves].T
        rows = (AGENTS * step + numpy.arange(AGENTS)) % MEMORY
        state["memory"][rows] = numpy.stack([at, moves, to, reward, ends], axis=1)
        anew = (ends > 0) | (lucid.rand(AGENTS).numpy() < 0.02)
        state["at"] = numpy.where(anew, anywhere(), to.astype(int))

        # Learn: of the next move the network says which, and the copy how good it is (van Hasselt et al. 2016).

        drawn = state["memory"][lucid.randint(0, min(AGENTS * (step + 1), MEMORY), (BATCH,)).numpy()]
        s, a, after = lucid.tensor(drawn[:, :3].astype(int), device=options.device).T
        r, ended = lucid.tensor(drawn[:, 3:].astype("float32"), device=options.device).T
        with lucid.no_grad():
            best = model(after).argmax(dim=1, keepdim=True)
            target = r + 0.97 * (1 - ended) * copy(after).gather(1, best).squeeze(1)
        loss = loss_of(model(s).gather(1, a.unsqueeze(1)).squeeze(1), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    values = worth()
    right = sum(way(values.argmax(axis=1), square) == far[square] for square in FREE) / len(FREE)
    picture(options.out, values, state, right)
    print(f"from {right:.0%} of {len(FREE)} squares the shortest way out; picture: {options.out}")
    return right


if __name__ == "__main__":
    run(main)
