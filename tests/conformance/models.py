"""Misused functions of the user, as --model and as --data."""

from typing import Any

from tests.conformance.corpus import MODEL, Corpus, Site

CORPUS = Corpus("models")
HEAD = "import torch\nfrom torch import nn\n\n"


def function(name: str, match: str, body: str, code: int = 3, *, flag: str = "--model") -> None:
    """A module in the current folder whose function ``make`` has the given body."""

    def make(site: Site) -> list[Any]:
        module = f"user_{abs(hash((name, str(site.folder))))}"
        site.write(f"{module}.py", HEAD + body)
        data = site.network[3]
        network = {"--model": MODEL, "--data": data, flag: f"{module}:make"}
        return site.find(network=[part for pair in network.items() for part in pair] + ["-q"])

    CORPUS.add(f"{flag}: {name}", code, match, make)


def named(name: str, match: str, spec: str, code: int, *, flag: str = "--model") -> None:
    def make(site: Site) -> list[Any]:
        network = {"--model": MODEL, "--data": site.network[3], flag: spec}
        return site.find(network=[part for pair in network.items() for part in pair] + ["-q"])

    CORPUS.add(f"{flag}: {name}", code, match, make)


for either in ("--model", "--data"):
    named("no such module", "no_such_module", "no_such_module:make", 3, flag=either)
    named("no such function", "has no function", "json:no_such_function", 3, flag=either)
    named("no function at all", "names no|module:function", "json:", 2, flag=either)
    named("a value that is no function", "has no function", "json:__name__", 3, flag=either)
    function(
        "raises", "raised ValueError: no", "def make():\n    raise ValueError('no')\n", flag=either
    )
    function(
        "leaves the program", "SystemExit", "def make():\n    raise SystemExit(0)\n", flag=either
    )
    function("a syntax error", "SyntaxError", "def make(:\n", flag=either)
    function("fails when imported", "ZeroDivisionError", "1 / 0\n", flag=either)
    function("wants arguments", "TypeError", "def make(width):\n    return width\n", flag=either)
    function("a message of two lines", "raised", "def make():\n    raise ValueError('a\\nb')\n",
             flag=either)  # fmt: skip

MODULE = "def make():\n    return "
function("returns a number", "must return a torch.nn.Module", MODULE + "3\n")
function("returns a state dict", "must return", MODULE + "nn.Linear(4, 2).state_dict()\n")
function("returns the class", "must return", MODULE + "nn.Linear\n")
function("other inputs", "does not take inputs", MODULE + "nn.Linear(5, 2)\n", 2)
function("other classes", "gives", MODULE + "nn.Linear(4, 7)\n", 2)
function("no parameters", "no parameters|gives", MODULE + "nn.Identity()\n", 2)
function("raises on inputs", "does not take inputs",
         "class Net(nn.Module):\n    def forward(self, x):\n        raise KeyError('x')\n\n"
         "def make():\n    return Net()\n", 2)  # fmt: skip
function("gives a tuple", "gives tuple",
         "class Net(nn.Linear):\n    def forward(self, x):\n        return (x, x)\n\n"
         "def make():\n    return Net(4, 2)\n", 2)  # fmt: skip

data = "--data"
function("returns None", "must return a pair", "def make():\n    return None\n", flag=data)
function("returns one array", "must return a pair",
         "def make():\n    return torch.ones(3, 4)\n", flag=data)  # fmt: skip
function(
    "no training part", "must return a pair", "def make():\n    return None, None\n", flag=data
)
function("a generator", "a dataset with a length",
         "def make():\n    return (x for x in ()), None\n", flag=data)  # fmt: skip
function("an empty dataset", "is empty",
         "class D(list):\n    def __init__(self):\n        pass\n\n"
         "class E:\n    def __len__(self):\n        return 0\n    def __getitem__(self, i):\n"
         "        raise IndexError\n\ndef make():\n    return E(), None\n", flag=data)  # fmt: skip
AUGMENTED = """
class Noisy:
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return torch.rand(4), i % 2


def make():
    return Noisy(), None
"""
function("random augmentation", "V10", AUGMENTED, 4, flag=data)
STEADY = AUGMENTED.replace("torch.rand", "torch.ones")
function("labels as texts", "label of item 0", STEADY.replace("i % 2", "'cat'"), flag=data)
function("NaN", "nan|finite",
         "def make():\n    x = torch.ones(8, 4)\n    x[1, 1] = float('nan')\n"
         "    return (x, torch.arange(8) % 2), None\n", flag=data)  # fmt: skip
