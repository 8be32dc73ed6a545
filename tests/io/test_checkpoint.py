"""save and load: what went in comes out, and a file is whole or not there."""

import gzip
import io
import json
import math
import os
import pickle
import socket
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections import OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from tests.interrupts import at_every_moment


def roundtrip(value, folder):
    lucid.save(value, folder / "x.npz")
    return lucid.load(folder / "x.npz")


def same(a, b):
    """Equal in value, type, dtype and memory order, all the way down; NaN equals NaN."""
    assert type(a) is type(b), (a, b)
    if isinstance(a, dict):
        assert list(map(repr, a)) == list(map(repr, b))
        for x, y in zip(a.values(), b.values(), strict=True):
            same(x, y)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, lucid.Tensor):
        assert a.requires_grad == b.requires_grad
        same(a.detach().numpy(), b.detach().numpy())
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        assert a.flags.f_contiguous == b.flags.f_contiguous and b.flags.writeable
    else:
        assert a == b if type(a) is int else repr(a) == repr(b)


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**63, -(2**200), 1 << 20000,
        0.1, -0.0, 5e-324, math.inf, -math.inf, math.nan, "", "text", "ünïcödé \0 \n \ud800", [], (), {},
        [1, [2.5, (None, {"a": []})], True], (1,), {1: "int", "1": "str", None: 0, 2.5: 1, (1, "a"): [], False: 2},
        {math.inf: 1, 1 << 70: 2}, {"a/b": 1, "a": {"b": 2}, "..": 3, "": 4},
    ],
    ids=lambda v: f"int of {v.bit_length()} bits" if type(v) is int else ascii(v)[:30],
)  # fmt: skip
def test_plain_values(value, tmp_path):
    same(value, roundtrip(value, tmp_path))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(12)[::2],
        np.float32([[1, 2], [3, 4]]).T, np.array(3.5), np.zeros((0, 3), np.float16), np.zeros((2, 0)),
        np.array([True, False]), np.array([-1, 2], np.int64), np.array([255], np.uint8), np.array([1 + 2j]),
        np.array([1, 2], ">i4"), np.array([math.nan, -0.0, math.inf], np.float16), np.array(["a", "längé"]),
        np.array([b"ab"]), np.array(["2020-01-01"], "M8[D]"), np.array([5], "m8[ms]"), np.ones(3)[None, :, None],
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)  # fmt: skip
def test_arrays_keep_dtype_shape_and_order(array, tmp_path):
    same(array.copy("K") if array.size else array, roundtrip({"a": array}, tmp_path)["a"])


def test_numpy_scalars_stay_what_they_are(tmp_path):
    for value in (np.float32(0.1), np.float64(0.1), np.int8(-1), np.bool_(True), np.str_("x")):
        same(value, roundtrip([value], tmp_path)[0])


def test_tensors_come_back_as_tensors(tmp_path):
    w = nn.Parameter([[1.0, 2.0]])
    frozen = nn.Parameter([1.0], requires_grad=False)
    leaf = lucid.tensor([1.0], requires_grad=True)
    saved = {"w": w, "frozen": frozen, "leaf": leaf, "plain": lucid.arange(3), "computed": (w * 2).sum()}
    back = roundtrip(saved, tmp_path)
    same(saved, back)
    assert back["computed"].is_leaf
    (back["w"] ** 2).sum().backward()
    assert back["w"].grad.tolist() == [[2, 4]]


def test_names_that_look_alike_do_not_clash(tmp_path):
    value = {"a/b": np.ones(1), "a": {"b": np.zeros(1)}, 1: np.ones(2), "1": np.zeros(2), "lucid": np.ones(3),
             "../x": np.ones(4), "a b": np.ones(5), "a_b": np.zeros(5), "": np.ones(6), "é" * 300: np.ones(7),
             }  # fmt: skip
    same(value, roundtrip(value, tmp_path))
    with np.load(tmp_path / "x.npz") as archive:
        assert not any(".." in name or len(name) > 250 for name in archive.files)


def test_a_model_and_its_optimizer_go_on_bit_by_bit(tmp_path):
    def make():
        lucid.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        model.register_buffer("mean", lucid.tensor(0.5))
        return model, optim.Adamax(model.parameters(), lr=0.05)

    x, y = lucid.randn(16, 3), lucid.randn(16, 1)

    def train(model, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            nn.MSELoss()(model(x), y).backward()
            optimizer.step()

    model, optimizer = make()
    train(model, optimizer, 5)
    path = tmp_path / "run.npz"
    lucid.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": lucid.get_rng_state()}, path
    )
    train(model, optimizer, 5)
    drawn = lucid.rand(3).tolist()

    other, its_optimizer = make()
    run = lucid.load(path)
    same(list(run["optimizer"]["state"]), [0, 1, 2, 3])  # ints, not strings
    other.load_state_dict(run["model"])
    its_optimizer.load_state_dict(run["optimizer"])
    lucid.set_rng_state(run["rng"])
    train(other, its_optimizer, 5)
    same(other.state_dict(), model.state_dict())
    same(its_optimizer.state_dict(), optimizer.state_dict())
    assert lucid.rand(3).tolist() == drawn


def test_numpy_can_read_the_file(tmp_path):
    lucid.save({"model": {"0.weight": np.eye(2)}, "epoch": 3}, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["lucid", "model/0.weight"]
        assert np.array_equal(archive["model/0.weight"], np.eye(2))
        assert json.loads(archive["lucid"].item())["nest"]["dict"][1] == ["epoch", 3]


def test_the_path_is_used_as_given(tmp_path):
    for path in (tmp_path / "no_suffix", str(tmp_path / "a.ckpt"), os.fsencode(tmp_path / "b.npz")):
        lucid.save([1], path)
        assert lucid.load(path) == [1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.ckpt", "b.npz", "no_suffix"]


def test_equal_checkpoints_are_equal_files(tmp_path):
    for name in "ab":
        lucid.save({"w": np.ones(3)}, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_link_is_followed_and_permissions_stay(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    lucid.save(1, real)
    os.chmod(real, 0o640)
    link.symlink_to(real)
    lucid.save(2, link)
    assert link.is_symlink() and lucid.load(real) == 2 and real.stat().st_mode & 0o777 == 0o640
    umask = os.umask(0o022)
    try:
        lucid.save(1, tmp_path / "new")
    finally:
        os.umask(umask)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("fail_at", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_the_old_file_whole(fail_at, error, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    lucid.save({"old": np.arange(5)}, path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise error

    target = {"open": (zipfile.ZipFile, "open"), "write": (zipfile.ZipFile, "close"), "fsync": (os, "fsync"),
              "replace": (os, "replace")}[fail_at]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(*target, fail)
        with pytest.raises(type(error)):
            lucid.save({"new": np.arange(500)}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]  # and no rubbish beside it


def test_a_refused_value_leaves_the_old_file_whole(tmp_path):
    lucid.save(1, tmp_path / "x")
    with pytest.raises(TypeError):
        lucid.save({"a": np.ones(3), "b": {1}}, tmp_path / "x")
    assert lucid.load(tmp_path / "x") == 1


Point = namedtuple("Point", "x y")
loop: list = []
loop.append(loop)


@pytest.mark.parametrize(
    "value, error, words",
    [
        (
            {"a": [0, 1, {1, 2}]},
            TypeError,
            "checkpoint['a'][2] is an object of type set, which cannot be saved; make it of",
        ),
        ({"a": Point(1, 2)}, TypeError, "checkpoint['a'] is an object of type Point"),
        (b"bytes", TypeError, "checkpoint is an object of type bytes"),
        ({3: lambda: 0}, TypeError, "checkpoint[3] is an object of type function"),
        (
            {"m": nn.Linear(1, 1)},
            TypeError,
            "checkpoint['m'] is an object of type Linear, which cannot be saved; write lucid.save(model.state_dict(), "
            "path), and later model.load_state_dict(lucid.load(path))",
        ),
        ([np.array([None])], TypeError, "checkpoint[0] is an array of dtype object"),
        ([np.zeros(1, [("a", "f4")])], TypeError, "checkpoint[0] is an array of dtype [('a', '<f4')]"),
        ([np.ma.masked_array([1.0])], TypeError, "checkpoint[0] is an object of type MaskedArray"),
        ({frozenset(): 1}, TypeError, "has a key of type frozenset; keys must be str, int"),
        ({(1, (2,)): 1}, TypeError, "has a key of type tuple; keys must be str, int"),
        ({np.int64(1): 1}, TypeError, "has a key of type int64"),
        (loop, ValueError, "the checkpoint contains itself, or is nested too deeply"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_cannot_be_saved_is_refused_by_its_place(value, error, words, tmp_path):
    with pytest.raises(error) as raised:
        lucid.save(value, tmp_path / "x")
    assert words in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_an_ordered_dict_comes_back_as_a_dict(tmp_path):
    same({"b": 1, "a": 2}, roundtrip(OrderedDict(b=1, a=2), tmp_path))


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no directory .*nowhere.*create it first"):
        lucid.save(1, tmp_path / "nowhere" / "x.npz")
    with pytest.raises(FileNotFoundError):
        lucid.load(tmp_path / "nothing.npz")
    with pytest.raises(IsADirectoryError):
        lucid.save(1, tmp_path)
    assert not list(tmp_path.iterdir())


WRITERS = {
    "save": (lambda path: lucid.save(1, path), lucid.load),
    "save_safetensors": (lambda path: lucid.save_safetensors({"a": np.ones(3)}, path), lucid.load_safetensors),
    "page": (lambda path: lucid.see.page(lucid.ones(2, requires_grad=True).sum(), path), None),
}


@pytest.mark.parametrize("name", WRITERS)
def test_nothing_but_a_file_is_ever_replaced(name, tmp_path):
    """A device would be gone for everybody, so here none is tried."""
    write, _ = WRITERS[name]
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        (tmp_path / "link").symlink_to(tmp_path / "fifo")
        for path in (tmp_path / "fifo", tmp_path / "socket", tmp_path / "link"):
            before = os.lstat(path)
            with pytest.raises(OSError, match=f"{name}: .*{path}.*a device or the like"):
                write(path)
            assert os.lstat(path).st_ino == before.st_ino
    with pytest.raises(IsADirectoryError, match=f"{name}: .*a directory"):
        write(tmp_path)
    assert sorted(x.name for x in tmp_path.iterdir()) == ["fifo", "link", "socket"]


KILLED = """
import os, sys
import numpy as np
import lucid
os.fsync = lambda file: (print("writing", flush=True), sys.stdin.read())
lucid.save(np.ones(1000), sys.argv[1])
"""


def test_what_a_killed_save_has_left_goes_with_the_next_one(tmp_path):
    path = tmp_path / "run.npz"
    env = {**os.environ, "PYTHONPATH": str(Path(lucid.__file__).parent.parent)}
    pipe = subprocess.PIPE
    start = lambda: subprocess.Popen([sys.executable, "-c", KILLED, path], stdin=pipe, stdout=pipe, env=env)
    with start() as killed, start() as running:
        for process in (killed, running):
            assert process.stdout.readline() == b"writing\n"
        lucid.save(1, tmp_path / "other")
        assert len(list(tmp_path.glob(".lucid-*"))) == 2
        killed.kill()
        killed.wait()
        lucid.save(1, path)
        assert len(list(tmp_path.glob(".lucid-*"))) == 1 and lucid.load(path) == 1  # that of the one that still writes
        running.communicate(b"")
    assert sorted(x.name for x in tmp_path.iterdir()) == ["other", "run.npz"] and lucid.load(path).sum() == 1000


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of half-made archives
def test_ctrl_c_in_save_is_a_keyboard_interrupt_and_leaves_a_whole_file(tmp_path):
    path, moments = tmp_path / "run.npz", 0
    lucid.save([np.ones(30)], path)
    for _ in at_every_moment(lambda: lambda: lucid.save([np.ones(30)], path)):
        moments += 1
        same(lucid.load(path), [np.ones(30)])
    assert moments > 200
    lucid.save(1, path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["BytesIO", "file", "gzip"])
def test_a_file_object_is_written_into_and_read_from(kind, tmp_path):
    value, tensors = {"a": [np.arange(4), "text"], "n": None}, {"w": lucid.ones(2, 3), "b": lucid.arange(3)}
    memory = io.BytesIO(b"before")
    memory.seek(6)  # a zip archive may stand behind something else
    opened = {"BytesIO": lambda mode: memory, "file": lambda mode: (tmp_path / "x").open(mode),
              "gzip": lambda mode: gzip.GzipFile(tmp_path / "y", mode)}[kind]  # fmt: skip
    for form, what in (("", value), ("_safetensors", tensors)):
        save, load = getattr(lucid, f"save{form}"), getattr(lucid, f"load{form}")
        file = opened("wb")
        save(what, file)
        assert not file.closed
        if kind != "BytesIO":
            file.close()
        file = opened("rb")
        back = load(file)
        same({name: back[name] for name in what}, what)
        assert not file.closed
        file.close()
        memory = io.BytesIO()


def test_a_pipe_is_read_and_text_or_what_is_damaged_refused(tmp_path):
    file = io.BytesIO()
    lucid.save([1, 2], file)

    class Pipe(io.RawIOBase):
        def __init__(self, content):
            self.content = io.BytesIO(content)

        def readable(self):
            return True

        def readinto(self, buffer):
            return self.content.readinto(buffer)

    assert lucid.load(Pipe(file.getvalue())) == [1, 2]
    with pytest.raises(ValueError, match="^load: the BytesIO is truncated, damaged"):
        lucid.load(io.BytesIO(file.getvalue()[:-9]))
    with pytest.raises(ValueError, match="^load_safetensors: the BytesIO cannot be read"):
        lucid.load_safetensors(file)
    with open(tmp_path / "text", "w+") as text:
        for name in ("save", "save_safetensors"):
            with pytest.raises(TypeError, match=f"^{name}: path must be a name or a file of bytes, got .*'wb'"):
                getattr(lucid, name)({}, text)
        for name in ("load", "load_safetensors"):
            with pytest.raises(TypeError, match=f"^{name}: path must .*'rb'"):
                getattr(lucid, name)(text)


def header(shape, dtype="<f8", more=b""):
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + more


def overlapping():
    """Two names for one member."""
    data = archive_of(lucid=nest([{"array": "a"}, {"array": "b"}]), a=npy(np.ones(999)), b=b"")
    first = data.index(b"PK\x01\x02")
    records = [b"PK\x01\x02" + r for r in data[first:].split(b"PK\x05\x06")[0].split(b"PK\x01\x02")[1:]]
    records[2] = records[1].replace(b"a.npy", b"b.npy")
    return data[:first] + b"".join(records) + b"PK\x05\x06" + data.split(b"PK\x05\x06")[1]


X = {"array": "x"}
HOSTILE = {
    "compressed": lambda: archive_of(zipfile.ZIP_DEFLATED, lucid=nest(X), x=npy(np.zeros(2_000_000))),
    "no bytes each, but many": lambda: archive_of(lucid=nest(X), x=header((2**40,), "|S0")),
    "no bytes each, but many, as text": lambda: archive_of(lucid=nest(X), x=header((2**20, 2**20), "<U0")),
    "one array a thousand times": lambda: archive_of(lucid=nest([X] * 1000), x=npy(np.ones(1000))),
    "one array in two kinds": lambda: archive_of(lucid=nest([X, {"Tensor": ["x", False]}]), x=npy(np.ones(2))),
    "one name twice": lambda: archive_of(lucid=nest(X), y=npy(np.ones(2)), x=b"").replace(b"y.npy", b"x.npy"),
    "the same bytes twice": overlapping, "a huge shape": lambda: archive_of(lucid=nest(X), x=header((2**60,))),
    "too large for NumPy, though empty": lambda: archive_of(lucid=nest(X), x=header((2**62, 0))),
    "negative": lambda: archive_of(lucid=nest(X), x=header((-1, -1), more=b"8 bytes.")),
    "a program for a header": lambda: archive_of(lucid=nest(X), x=header(()).replace(b"()", b"-" * 60_000 + b"1")),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_would_take_time_or_memory_is_refused_before_it_is_read(case, tmp_path):
    (tmp_path / "x").write_bytes(content := HOSTILE[case]())
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises(ValueError, match="truncated, damaged or not written by lucid.save"):
            lucid.load(tmp_path / "x")
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content) + 1_000_000
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - begun < 2


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    lucid.save(np.ones(10), tmp_path / "x")

    def fails(*args):
        raise MemoryError("Unable to allocate 80 bytes")

    monkeypatch.setattr(zipfile.ZipFile, "read", fails)
    with pytest.raises(MemoryError, match=r"^load: '.*x' needs more memory than there is \(Unable to .* bytes\); free"):
        lucid.load(tmp_path / "x")


def archive_of(compression=zipfile.ZIP_STORED, /, **members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name + ".npy", content)
    return data.getvalue()


def npy(array):
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


def nest(value, **more):
    return npy(np.array(json.dumps({"format": 1, "nest": value, **more}).encode()))


class Bomb:
    def __reduce__(self):
        return (Path("/nowhere/exploded").touch, ())


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "BadZipFile"),
        (b"hello, I am a text file\n" * 10, "BadZipFile"),
        (npy(np.ones(3)), "BadZipFile"),
        (pickle.dumps(Bomb()), "BadZipFile"),
        (archive_of(), "lucid.npy"),
        (archive_of(arr_0=npy(np.ones(3))), "lucid.npy"),
        (archive_of(lucid=b"text"), "not an array as lucid.save writes it"),
        (archive_of(lucid=npy(np.ones(3))), "ValueError"),
        (archive_of(lucid=nest({"array": "gone"})), "gone.npy"),
        (archive_of(lucid=nest({"pickle": "x"})), "a value of unknown kind 'pickle'"),
        (archive_of(lucid=nest(1, format=2)), "it has format 2, and this lucid reads up to 1; use a newer lucid"),
        (archive_of(lucid=nest({"array": "x"}), x=npy(np.ones(3))[:-1]), "not an array as lucid.save writes it"),
        (archive_of(lucid=nest({"array": "x"}), x=npy(np.array([Bomb()], object))), "not an array as lucid"),
        (archive_of(lucid=nest({"array": "x"}), x=npy(np.zeros(1, "V8"))), "not an array as lucid.save writes it"),
    ],
)  # fmt: skip
def test_foreign_files_are_refused(content, words, tmp_path):
    path = tmp_path / "user_defined.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError) as raised:
        lucid.load(path)
    assert str(raised.value).startswith(
        f"load: {str(path)!r} is truncated, damaged or not written by lucid.save ("
    )
    assert words in str(raised.value)


def test_every_truncation_is_noticed(tmp_path):
    path = tmp_path / "x.npz"
    lucid.save({"w": np.arange(4.0), "n": [1, None]}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="truncated, damaged"):
            lucid.load(path)


def test_no_damaged_byte_passes_for_another_value(tmp_path):
    path = tmp_path / "x.npz"
    value = {"w": np.arange(4.0), "n": [1, None]}
    lucid.save(value, path)
    whole, harmless = path.read_bytes(), 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            same(lucid.load(path), value)
            harmless += 1  # dates, versions and the like, which nobody reads
        except ValueError as error:
            assert "truncated, damaged" in str(error)
    assert harmless < len(whole) / 4


def test_a_file_of_torchs_is_called_that(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:  # as torch.save lays it out
        archive.writestr("model/data.pkl", b"")
        archive.writestr("model/data/0", b"")
    with pytest.raises(
        ValueError,
        match=r"^load: '.*model.pt' was written by torch.save; read it with torch.load, and .*load_state_dict",
    ):
        lucid.load(tmp_path / "model.pt")


def test_pytorchs_words(tmp_path):
    path, x = tmp_path / "x.pt", lucid.ones(2)
    lucid.save(obj={"w": nn.Parameter([1.0]), "x": x}, f=path)
    for options in (
        {"map_location": "cpu"}, {"map_location": lucid.device("cpu"), "weights_only": True}, {"mmap": None},
        {"map_location": lambda storage, location: storage}, {"map_location": {"cuda:0": "cpu"}, "weights_only": False},
        {"map_location": lambda storage, location: None}, {"pickle_module": None},
    ):  # fmt: skip
        same(lucid.load(f=path, **options), {"w": nn.Parameter([1.0]), "x": x})
    seen = []
    double = lucid.load(path, lambda tensor, location: seen.append(location) or tensor.double())
    same(double, {"w": nn.Parameter(np.ones(1)), "x": lucid.ones(2, dtype=lucid.float64)})
    assert seen == ["cpu", "cpu"]


@pytest.mark.parametrize("call, error, text", [
    (lambda path: lucid.save(1), TypeError, r"save: expected a path \(or f, which is the same\), got neither"),
    (lambda path: lucid.save(1, path, f=path), TypeError, "save: expected a path .*, got .* and f="),
    (lambda path: lucid.load(), TypeError, "load: expected a path .*, got neither"),
    (lambda path: lucid.load(path, "gpus"), ValueError, "load: unknown device 'gpus'"),
    (lambda path: lucid.save(optim.SGD([lucid.ones(1, requires_grad=True)]), path), TypeError,
     r"save: .* type SGD, which .*; write lucid.save\(it.state_dict\(\), path\), and later it.load_state_dict\("),
], ids=range(5))  # fmt: skip
def test_pytorchs_words_misused(tmp_path, call, error, text):
    with pytest.raises(error, match=f"^{text}"):
        call(tmp_path / "x.pt")
