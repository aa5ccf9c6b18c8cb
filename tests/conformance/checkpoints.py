"""Bad checkpoints, given to certify and to inspect."""

import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as save_safetensors
from torch import nn
from torch.nn.utils import parametrizations

from tests.checkpoints import hostile
from tests.checkpoints.hostile import entry, safetensors, saved, zipped
from tests.checkpoints.runs import lth_pacbayes
from tests.conformance.corpus import Corpus, Site, weights

CORPUS = Corpus("checkpoints")
GOOD = saved(weights())
HEADER = {"fc1.bias": entry([3], 0, 12)}


def file(name: str, match: str, data: bytes, *, suffix: str = "pt", code: int = 3) -> None:
    """A file that certify and inspect both refuse."""
    CORPUS.add(name, code, match, lambda s: s.certify(s.write(f"bad.{suffix}", data)))
    CORPUS.add(
        f"{name} (inspect)", code, match, lambda s: ["inspect", s.write(f"bad.{suffix}", data)]
    )


def state(
    name: str, match: str, value: Any, *, code: int = 3, options: tuple[str, ...] = ()
) -> None:
    """A file that torch.save wrote, which does not fit."""
    CORPUS.add(name, code, match, lambda s: s.certify(s.write("bad.pt", saved(value)), *options))


def changed(**changes: Any) -> dict[str, Any]:
    return {**weights(), **{name.replace("_", ".", 1): t for name, t in changes.items()}}


def legacy() -> bytes:
    buffer = io.BytesIO()
    torch.save(weights(), buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def rezipped(change: Any) -> bytes:
    return zipped(change(list(hostile.members(GOOD).items())))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


# --- files that are no archive, or a damaged one
file("empty", "is empty", b"")
file("two bytes", "truncated", b"PK")
file("an image", "neither a file of torch.save", b"GIF89a" + bytes(100))
file("a shell script", "neither", b"#!/bin/sh\ntouch canary\n")
file("half an archive", "truncated", GOOD[: len(GOOD) // 2])
file("one byte short", "truncated", GOOD[:-1])
file("bytes after the end", "truncated, or bytes after", GOOD + b"x")
file("bytes before the start", "neither", b"x" + GOOD)
file("a flipped bit in the weights", "checksum", flipped(GOOD, len(GOOD) // 2))
file("two members of one name", "two members",
     rezipped(lambda m: [*m, (m[0][0], m[0][1])]))  # fmt: skip
file("a compressed member", "compressed", zipped(list(hostile.members(GOOD).items()),
                                                 compression=zipfile.ZIP_DEFLATED))  # fmt: skip
file("a bomb of zeros", "compressed", zipped([("a/data.pkl", b"."), ("a/data/0", bytes(2**24))],
                                             compression=zipfile.ZIP_DEFLATED))  # fmt: skip
file("a member outside", "one folder", zipped([("../../x", b"x")]))
file("members in two folders", "one folder", zipped([("a/data.pkl", b"."), ("b/x", b"x")]))
file("no data.pkl", r"data\.pkl", zipped([("a/version", b"3")]))
file("big-endian", "byte order", rezipped(
    lambda m: [(n, b"big" if n.endswith("byteorder") else d) for n, d in m]))  # fmt: skip
file("before torch 1.6", r"before 1\.6", legacy())
file("a bare pickle", "bare pickle", pickle.dumps({"a": 1}))
file("a tar archive", r"before 1\.6", bytes(257) + b"ustar" + bytes(300), suffix="tar")
file("ONNX", "ONNX", b"\x08\x07\x12\x07pytorch", suffix="onnx")
file("TorchScript", "TorchScript", zipped([("m/code/x.py", b"x"), ("m/data.pkl", b".")]))
file("an exported program", "carries code", zipped([("m/archive_format", b"pt2")]), suffix="pt2")

# --- pickles that are no state dict
file("a pickled module", "Linear.*state_dict", saved(nn.Linear(2, 2)))
file("any object", "pickles objects", saved({"w": torch.ones(2, 2), "x": zipfile.ZipFile}))
file("a malformed pickle", "malformed", hostile.with_pickle(b"\x80\x02}garbage"))
file("nested twice, forty times", "nested", hostile.with_pickle(hostile.billion_laughs(40)))
file("a tuple as key, forty times", "nested", hostile.with_pickle(hostile.nested_tuple(40)))
file("a deep list", "not a dict of tensors|nested", hostile.with_pickle(hostile.nested_list(2000)))
file("a dict in itself", "nested|not a dict", hostile.with_pickle(hostile.itself()))
file("a list", "holds a list", saved([torch.ones(2, 2)]))
file("a number", "holds a int", saved(3))
file("an empty dict", "empty dict", saved({}))
file("a tensor alone", "holds a Tensor", saved(torch.ones(2, 2)))
file("integers as keys", "names must be texts", saved({0: torch.ones(2, 2)}))
file("an optimiser", "optimiser", saved(torch.optim.SGD([torch.ones(1)]).state_dict()))
file("a name with an escape", "tensor name", saved({"a\x1b[31mb": torch.ones(2, 2)}))
file("a name with a newline", "tensor name", saved({"a\nb": torch.ones(2, 2)}))
file("a name that is a path", "tensor name", saved({"../../etc/passwd": torch.ones(2, 2)}))
file("an empty name", "tensor name", saved({"": torch.ones(2, 2)}))
file("two candidates", "choose one with --key", saved({"model": weights(), "net": weights(1)}))
file("averaged weights only", "--key", saved({"model_ema": weights(), "epoch": 1}))
file("weights under an odd key", "--key", saved({"mine": weights(), "epoch": 1}))

# --- tensors that are none
file("a stride of zero", "overlapping", saved({"w": torch.zeros(1).expand(10**6, 10**6)}))
file("overlapping rows", "overlapping",
     saved({"w": torch.arange(5.0).as_strided((4, 2), (1, 1))}))  # fmt: skip
file("sparse", "sparse", saved({"w": torch.eye(2).to_sparse()}))
file("without data", "without data", saved({"w": torch.ones(2, 2, device="meta")}))
file("complex", "not supported", saved({"w": torch.ones(2, 2, dtype=torch.complex64)}))
file("float8", "not supported", saved({"w": torch.ones(2, 2).to(torch.float8_e4m3fn)}))
file("no entries", "no entries", saved({"w": torch.ones(0, 2)}))
file("NaN", r"fc1\.weight\[1, 2\] is nan", saved(changed(
    fc1_weight=torch.ones(3, 4).index_put((torch.tensor(1), torch.tensor(2)),
                                          torch.tensor(float("nan"))))))  # fmt: skip
file("infinite", r"fc2\.bias\[0\] is -?inf", saved(changed(
    fc2_bias=torch.tensor([float("inf"), 0]))))  # fmt: skip

# --- state dicts that do not fit the network
state("transposed", "transposed", changed(fc1_weight=torch.ones(4, 3)))
state("another shape", "another shape", changed(fc1_weight=torch.ones(5, 4)))
state(
    "a missing tensor", "missing fc1.bias", {k: t for k, t in weights().items() if k != "fc1.bias"}
)
state("an unexpected tensor", "unexpected extra", {**weights(), "extra": torch.ones(1)})
state("renamed", "missing.*unexpected", {f"layer{k}": t for k, t in weights().items()})
state("integer weights", "floating point", changed(fc1_weight=torch.ones(3, 4).long()))
state("too large for float32", "float32.*is inf",
      changed(fc1_weight=torch.full((3, 4), 1e300, dtype=torch.float64)))  # fmt: skip
state("statistics of a layer that is not there", r"unexpected bn\.running_mean",
      {**weights(), "bn.running_mean": torch.ones(1)})  # fmt: skip
state("a key that is not there", "no dict of tensors under ema", {"model": weights()},
      options=("--key", "ema"))  # fmt: skip
state("weight norm", "weight norm", OrderedDict(
    parametrizations.weight_norm(nn.Linear(4, 3)).state_dict()))  # fmt: skip
state("spectral norm", "spectral norm", OrderedDict(
    parametrizations.spectral_norm(nn.Linear(4, 3)).state_dict()))  # fmt: skip
state("a sparsifier's mask left out", "squash_mask",
      {"fc1.parametrizations.weight.original": torch.ones(3, 4)})  # fmt: skip
state("pruned without a mask", r"prune\.remove", {"fc1.weight_orig": torch.ones(3, 4)})
state("Lightning with an object", "state_dict", {
    "pytorch-lightning_version": "2.5.5", "state_dict": weights(),
    "hyper_parameters": {"x": zipfile.ZipFile}})  # fmt: skip


def safe(name: str, match: str, data: bytes) -> None:
    file(f"safetensors: {name}", match, data, suffix="safetensors")


safe("empty", "header length|empty", b"")
safe("header length 0", "header length", bytes(8) + b"{}")
safe("header longer than the file", "header length", (2**63 - 1).to_bytes(8, "little") + b"{}")
safe("not JSON", "not valid JSON|not a JSON", safetensors("{garbage"))
safe("a list", "not a JSON object", safetensors("[]   "))
safe("bad UTF-8", "not valid JSON|JSON", safetensors(b'{"\xff": 1}'))
safe("a name twice", "appears twice", safetensors(
    '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)))  # fmt: skip
safe("overlap", "overlap", safetensors({"a": entry([2], 0, 8), "b": entry([1], 4, 8)}, bytes(8)))
safe("a hole", "hole", safetensors({"a": entry([1], 4, 8)}, bytes(8)))
safe("truncated", "truncated", safetensors(HEADER, bytes(11)))
safe("bytes after the end", "after the end", safetensors(HEADER, bytes(13)))
safe("shape and bytes differ", "does not fit", safetensors({"a": entry([3], 0, 8)}, bytes(8)))
safe("a shape that overflows", "does not fit", safetensors(
    {"a": entry([4194305, 4194305, 211106198978564], 0, 8)}, bytes(8)))  # fmt: skip
safe("a negative axis", "positive integers", safetensors({"a": entry([-1], 0, 4)}, bytes(4)))
safe("no entries", "positive integers", safetensors({"a": entry([0], 0, 0)}))
safe("an unknown type", "not supported", safetensors({"a": entry([1], 0, 4, "F8")}, bytes(4)))
safe("an unknown field", "nothing else", safetensors(
    {"a": {**entry([1], 0, 4), "x": 1}}, bytes(4)))  # fmt: skip
safe("metadata that are no texts", "metadata", safetensors({"__metadata__": {"a": 1}}))
safe("deep brackets", "nested|JSON", safetensors("[" * 100_000))
safe("no tensors", "no tensors", safetensors({}))
safe("a posterior of ours", "posterior", save_safetensors(
    {"weird": torch.ones(1)}, metadata={"schema": "pacbayes/posterior/1"}))  # fmt: skip


def npz(**members: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **members)
    return buffer.getvalue()


file("npz: objects", "dtype", npz(w=np.array([object()])), suffix="npz")
file("npz: no arrays", "no tensors|one folder", npz(), suffix="npz")
file("npz: a text file inside", "member named", zipped([("a.txt", b"x")]), suffix="npz")


# --- paths and folders
def fifo(site: Site) -> list[Any]:
    os.mkfifo(site.folder / "pipe")
    return site.certify(site.folder / "pipe")


def unfinished(site: Site) -> list[Any]:
    site.write("t/trained.safetensors", save_safetensors(weights()))
    return site.certify(site.folder / "t")


def shards(site: Site, weight_map: dict[str, Any]) -> list[Any]:
    site.write("hf/model.safetensors.index.json", json.dumps({"weight_map": weight_map}))
    site.write("hf/a.safetensors", save_safetensors({"w": torch.ones(1)}))
    return site.certify(site.folder / "hf")


def ticket(site: Site, change: Any) -> list[Any]:
    """A ticket folder of ours with its record changed."""
    source, target = site.good / "run" / "level_01", site.folder / "ticket"
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    change(target)
    return site.certify(target)


def record(site: Site, **fields: Any) -> list[Any]:
    def change(folder: Any) -> None:
        path = folder / "ticket.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return ticket(site, change)


add = CORPUS.add
add("missing", 3, "no such file", lambda s: s.certify(s.folder / "absent.pt"))
add("a pipe", 3, "regular file", fifo)
add("a device", 3, "regular file", lambda s: s.certify("/dev/zero"))
add("an escape in the path", 3, r"\\x1b", lambda s: s.certify(s.folder / "a\x1b[31m.pt"))
add("an empty folder", 3, r"no ticket\.json", lambda s: s.certify(s.folder))
add("a ticket without its record", 3, "interrupted", unfinished)
add("a folder of weights", 3, "name a file", lambda s: s.certify(s.write("d/a.pt", GOOD).parent))
add("a distributed checkpoint", 3, "dcp_to_torch", lambda s: s.certify(
    [s.write("d/.metadata", b""), s.write("d/__0_0.distcp", b"")][0].parent))  # fmt: skip
add("a shard that leads outside", 3, "not a file", lambda s: shards(s, {"w": "../x.safetensors"}))
add("a shard that is not there", 3, "no such file", lambda s: shards(s, {"w": "b.safetensors"}))
add("a shard with another tensor", 3, "lacks v", lambda s: shards(s, {"v": "a.safetensors"}))
add("an index without a map", 3, "weight_map", lambda s: shards(s, {}))
add("a run with many levels", 3, "replicate 0: levels 0, 1, 2",
    lambda s: s.certify(lth_pacbayes(s.folder)))  # fmt: skip
add("options for files with a folder", 2, "goes with a file",
    lambda s: s.certify(s.good / "run" / "level_01", "--mask-from-zeros"))  # fmt: skip
add("a ticket with a changed tensor file", 3, "has changed", lambda s: ticket(
    s, lambda f: (f / "init.safetensors").write_bytes(save_safetensors(weights(9)))))  # fmt: skip
add("a ticket without its mask", 3, "mask", lambda s: ticket(
    s, lambda f: (f / "mask.safetensors").unlink()))  # fmt: skip
add("a ticket with an unknown field", 3, "unknown: extra", lambda s: record(s, extra=1))
add("a ticket of the future", 3, "schema", lambda s: record(s, schema="pacbayes/ticket/2"))
add("a ticket with another digest", 3, "digest", lambda s: record(s, digest="0" * 64))
add("a ticket of level -1", 3, "level", lambda s: record(s, level=-1))
add("a ticket with odd provenance", 3, "provenance", lambda s: record(s, provenance={"x": 1}))
add("a ticket of other data", 3, "other training data",
    lambda s: s.certify(s.good / "run" / "level_01", network=[
        "--model", "mlp:4-3-2", "--data", "synthetic:n=80,dim=4,classes=2", "-q"]))  # fmt: skip
add("convert to another suffix", 2, r"\.safetensors",
    lambda s: ["convert", s.good / "model.pt", s.folder / "a.pt"])  # fmt: skip
add("convert over a file", 2, "--force",
    lambda s: ["convert", s.good / "model.pt", s.write("a.safetensors", b"x")])  # fmt: skip
add("convert NaN", 3, "is nan", lambda s: [
    "convert", s.write("b.pt", saved({"w": torch.tensor([float("nan")])})),
    s.folder / "a.safetensors"])  # fmt: skip
add("an absent key (inspect)", 3, "no dict of tensors",
    lambda s: ["inspect", s.write("a.pt", saved({"a": weights()})), "--key", "b"])  # fmt: skip
