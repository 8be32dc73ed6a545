"""Read handwriting with several processes: each has a part of every batch, and all have the same network.

    python examples/18_data_parallel.py                   # one process, and
    mpiexec -n 2 python examples/18_data_parallel.py      # two: the same numbers, but for rounding

A batch of 64 digits is 64 for one process and 32 each for two. mpiexec comes with an MPI (`pip install mpi4py mpich`);
docs/distributed.md has how to start it on several machines. So small a network does not get faster by it;
`benchmarks/distributed.py` measures which do.
"""

from pathlib import Path

from common import Options, run

import lucid
import lucid.nn as nn
import lucid.optim as optim
from lucid import datasets, distributed
from lucid.distributed import DistributedDataParallel, DistributedSampler
from lucid.utils.data import DataLoader, TensorDataset

EPOCHS, QUICK_EPOCHS, BATCH, LR = 30, 6, 64, 1e-2


def main(argv: list[str] | None = None) -> float:
    """Train on all ranks; return the accuracy on the held-out fifth."""
    parser = Options(__doc__, quick=f"{QUICK_EPOCHS} epochs instead of {EPOCHS}")
    parser.add_argument("--save", type=Path, metavar="PATH", help="where rank 0 writes the network")
    options = parser.parse_args(argv)

    distributed.init()  # first of all; alone if nobody has started others
    rank, ranks = distributed.rank(), distributed.world_size()

    lucid.manual_seed(options.seed)  # the same on all ranks: the same split, the same first weights
    images, labels = datasets.digits()
    order = lucid.randperm(len(labels))
    held_out, trained_on = order[: len(order) // 5], order[len(order) // 5 :]
    pixels, answers = images.reshape(-1, 64).to(options.device), labels.to(options.device)

    data = TensorDataset(pixels[trained_on], answers[trained_on])
    sampler = DistributedSampler(data, seed=options.seed)
    batches = DataLoader(data, batch_size=-(-BATCH // ranks), sampler=sampler)
    network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    network.to(options.device)
    model = DistributedDataParallel(network)
    optimizer = optim.Adamax(model.parameters(), lr=LR)

    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    for epoch in range(epochs):
        total = lucid.zeros(2)
        for x, y in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()  # ends with gradients of the whole batch, the same on every rank
            optimizer.step()
            total += lucid.tensor([loss.item() * len(y), len(y)])
        seen, samples = distributed.all_reduce(total).tolist()
        if rank == 0 and (epoch + 1) % 5 == 0:
            print(f"epoch {epoch + 1:2}: training loss {seen / samples:.4f}")

    mine = held_out[rank::ranks]  # evaluation is shared as well
    with lucid.no_grad():
        right = (network(pixels[mine]).argmax(dim=1) == answers[mine]).sum()
    accuracy = distributed.all_reduce(right).item() / len(held_out)
    if rank == 0:
        if options.save:
            lucid.save(network.state_dict(), options.save)
        print(f"{accuracy:.1%} of {len(held_out)} held-out digits read right by {ranks} process{'es' * (ranks > 1)}")
    return accuracy


if __name__ == "__main__":
    run(main)
