"""What all examples share: their options, a progress bar, pictures, and one line where something is in the way.

There is nothing to learn from here; each example says what it does in its own file.
"""

import shlex
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import lucid


def needed(module: str) -> Any:
    """A module that lucid itself does not need; where it is missing, one line says what to install."""
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise SystemExit(f"this example needs {missing.name}: pip install matplotlib tqdm") from None


class Options(ArgumentParser):
    """--seed, --device and --quick; --out, --save and --resume where the example has them. What cannot be is refused
    before anything is computed, in one line.

    `out` is where the picture goes; its suffix is one that matplotlib knows, or the one that `out` has if that is
    no picture. `resumable` adds --save and --resume, for examples whose loop is a `Training`.
    """

    def __init__(self, doc: str | None, quick: str, out: str | None = None, resumable: bool = False) -> None:
        super().__init__(description=doc, formatter_class=RawDescriptionHelpFormatter)
        self.add_argument("--seed", type=int, default=0, help="seed of all that is random")
        self.add_argument("--device", default="cpu", help="cpu or cuda")
        self.add_argument("--quick", action="store_true", help=quick)
        if out is not None:
            self.add_argument("--out", type=Path, default=Path(out), help=f"where the picture goes ({out})")
        if resumable:
            self.add_argument("--save", type=Path, metavar="PATH", help="write a checkpoint at the end, or each epoch")
            self.add_argument("--resume", type=Path, metavar="PATH", help="go on from a checkpoint, bit for bit")
        self.usual = Path(out) if out is not None else None

    def error(self, message: str) -> Any:
        """One line, without the usage."""
        self.exit(2, f"{self.prog}: {message}\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The options, checked; lucid's generator is seeded, and `saved` is the checkpoint to resume from, or None."""
        options = super().parse_args(args, namespace)
        needed("threadpoolctl")
        lucid.set_num_threads(1)  # of more, in so small a model, each would wait for the others
        options.example = self.usual.stem if self.usual else self.prog
        options.saved = self.checkpoint(options) if getattr(options, "resume", None) else None
        if options.saved:
            options.seed = options.saved["seed"]  # the same data must be made, and the same part held out
        try:
            lucid.zeros(1, device=options.device)
        except (ValueError, RuntimeError) as error:
            self.error(f"--device: {error}")
        try:
            lucid.manual_seed(options.seed)
        except ValueError as error:
            self.error(f"--seed: {error}")
        if self.usual is not None:
            options.out = self.writable(options.out)
        return options

    def checkpoint(self, options: Namespace) -> dict[str, Any]:
        """What a `Training` saved."""
        try:
            saved = lucid.load(options.resume)
        except (OSError, ValueError) as error:
            self.error(f"--resume: {error}")
        if not isinstance(saved, dict) or saved.get("example") != options.example:
            self.error(f"--resume: {options.resume} is not a checkpoint of this example")
        return saved

    def writable(self, path: Path) -> Path:
        """The path with a suffix, if it can be written to."""
        assert self.usual is not None
        known = [usual := self.usual.suffix]
        if usual == ".png":
            known = [f".{name}" for name in needed("matplotlib.backend_bases").FigureCanvasBase.filetypes]
        path = path if path.suffix else path.with_suffix(usual)
        if path.suffix.lower() not in known:
            self.error(f"--out: no writer knows {path.suffix}, as in {path}; known: {', '.join(known)}")
        there = path.exists()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("ab").close()
        except OSError as error:
            self.error(f"--out: {path} cannot be written: {error.filename}: {error.strerror}")
        if not there:
            path.unlink()
        return path


class Training:
    """The steps of a training: a progress bar counts them, Ctrl-C ends them after the step that is under way, and
    what was learned by then is saved; `--resume` goes on from there, bit for bit.

        for step in Training(options, 1000, model=model, optimizer=optimizer):

    `parts` is all that a run is, beside its step and the random numbers to come: what has a state_dict (a model, an
    optimizer, a DataLoader), and dicts of lists (a history).
    """

    def __init__(self, options: Namespace, steps: int, unit: str = "step", **parts: Any) -> None:
        self.options, self.steps, self.unit, self.parts = options, steps, unit, parts
        self.done, self.stopped = 0, False
        self.bar = needed("tqdm").tqdm(total=steps, desc=options.example, unit=unit, disable=None, dynamic_ncols=True)
        if saved := options.saved:
            for name, part in parts.items():
                part.update(saved[name]) if isinstance(part, dict) else part.load_state_dict(saved[name])
            lucid.set_rng_state(saved["random"])
            self.done = saved["done"]

    def __iter__(self) -> Iterator[int]:
        here = threading.current_thread() is threading.main_thread()  # no other may set the handler
        before = signal.signal(signal.SIGINT, self.stop) if here else None
        try:
            self.bar.update(self.done)
            while self.done < self.steps:
                yield self.done
                self.done += 1
                self.bar.update()
                if self.options.save and (self.unit == "epoch" or self.done == self.steps):
                    self.save(self.options.save)
                if self.stopped:
                    self.leave()
        finally:
            self.bar.close()
            if here:
                signal.signal(signal.SIGINT, before)

    def show(self, **figures: str) -> None:
        """Put figures behind the progress bar."""
        self.bar.set_postfix(figures, refresh=False)

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        states = {name: part if isinstance(part, dict) else part.state_dict() for name, part in self.parts.items()}
        run = {"example": self.options.example, "done": self.done, "seed": self.options.seed}
        try:
            lucid.save({**states, **run, "random": lucid.get_rng_state()}, path)
        except OSError as error:
            raise SystemExit(f"{path} cannot be written: {error.strerror}") from None

    def stop(self, *_: Any) -> None:
        """Ctrl-C, the first one; a second is Python's."""
        self.stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def leave(self) -> None:
        self.bar.close()
        path = self.options.out.with_suffix(".npz")
        self.save(path)
        again = sys.argv if self.options.resume == path else [*sys.argv, "--resume", str(path)]
        raise SystemExit(
            f"stopped after {self.unit} {self.done} of {self.steps}; to go on: python {shlex.join(again)}"
        )


def progress(items: list[Any], what: str, unit: str) -> Any:
    """The items, with a progress bar."""
    return needed("tqdm").tqdm(items, desc=what, unit=unit, disable=None, dynamic_ncols=True)


def figure(width: float, height: float) -> Any:
    """An empty picture of so many inches."""
    return needed("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")


def write(picture: Any, path: Path, dpi: int = 110) -> None:
    """Save a picture."""
    try:
        picture.savefig(path, dpi=dpi)
    except OSError as error:
        raise SystemExit(f"{path} cannot be written: {error.strerror}") from None


def run(main: Callable[[], Any]) -> None:
    """The program itself: an interrupt that no Training caught ends it in one line too."""
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(f"\nstopped; nothing was saved. To begin anew: python {shlex.join(sys.argv)}") from None
