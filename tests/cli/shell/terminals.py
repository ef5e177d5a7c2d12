"""A shell on a pseudo-terminal, into which tests type."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PROMPT = "READY> "
COMMANDS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SET_UP = {
    "bash": f"PS1='{PROMPT}'; bind 'set enable-bracketed-paste off'; . ./completion",
    "zsh": f"PS1='{PROMPT}'; unsetopt zle_bracketed_paste promptsp; "
    "autoload -Uz compinit; compinit -u -d ./zcompdump; . ./completion",
    "fish": f"function fish_prompt; echo -n '{PROMPT}'; end; . ./completion",
}
HOME_KEY, TAB = "\x01", "\t"
PATIENCE = 120  # seconds: the machine may have other work


class Shell:
    """A shell that completes words of maskkit, in the folder `work`."""

    def __init__(self, name: str, work: Path) -> None:
        bin_folder = work / "bin"
        bin_folder.mkdir(exist_ok=True)
        program = bin_folder / "maskkit"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m maskkit "$@"\n')
        program.chmod(0o755)
        root = str(Path(__file__).parents[3])
        environment = {
            **os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "TERM": "xterm", "HOME": str(work),
            "PYTHONPATH": root, "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": str(work / "config"),
        }  # fmt: skip
        asking = {**environment, "_MASKKIT_COMPLETE": f"source_{name}"}
        script = subprocess.run([str(program)], env=asking, capture_output=True, text=True, check=True)
        (work / "completion").write_text(script.stdout)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(work)
            os.execvpe(COMMANDS[name][0], COMMANDS[name], environment)
        self.shown = ""
        self.type(f" {SET_UP[name]}\r")
        self.type(" echo set'-'up\r")
        self.wait_for("set-up")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.terminal, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until a text is shown; return all that was."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            ready = select.select([self.terminal], [], [], max(end - time.monotonic(), 0))[0]
            assert ready, f"{text!r} was not shown: {self.shown!r}"
            self.shown += re.sub(r"\x1b\[[0-9;?>=]*[a-zA-Z]|\x1b[()=>][B0]?", "",
                                 os.read(self.terminal, 65536).decode(errors="replace"))  # fmt: skip
        shown, self.shown = self.shown, ""
        return shown

    def completed(self, line: str) -> str:
        """Return a line after TAB, as the shell would run it."""
        self.type(line + TAB)
        self.type(f"X{HOME_KEY} echo line'=' \r")
        shown = self.wait_for("line= ")
        while not re.search(r"line= [^\r\n]*X\r?\n", shown):
            shown += self.wait_for("\n")
        return str(re.findall(r"line= ([^\r\n]*)X\r?\n", shown)[-1])

    def close(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)
