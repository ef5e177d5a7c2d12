"""The scripts that `--install-completion` and `--show-completion` give to bash, zsh and fish.

Typer has such scripts. These differ: a word goes on behind `:` and `=`, as in `--loss focal:gamma=3`, where
bash breaks words; none puts a space behind what is to go on; fish starts one process instead of two.
"""

from __future__ import annotations

from typing import Final

from typer import _completion_shared

BASH: Final = r"""
%(complete_func)s() {
    mapfile -t COMPREPLY < <(
        COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_WORDBREAKS="$COMP_WORDBREAKS" \
            %(autocomplete_var)s=complete_bash "$1" 2> /dev/null
    )
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=,+/] ]] && compopt -o nospace
    return 0
}

complete -o default -o nosort -F %(complete_func)s %(prog_name)s
"""

ZSH: Final = r"""
#compdef %(prog_name)s

%(complete_func)s() {
    local -a rows ended open
    local row word text
    rows=("${(@f)$(_TYPER_COMPLETE_ARGS="${(j: :)words[1,$CURRENT]}" \
        %(autocomplete_var)s=complete_zsh %(prog_name)s 2> /dev/null)}")
    for row in $rows; do
        word="${row%%%%$'\t'*}"
        text="${${row#"$word"}#$'\t'}"
        word="${word//:/\\:}${text:+:$text}"
        if [[ "${row%%%%$'\t'*}" == *[:=,+/] ]]; then open+=("$word"); else ended+=("$word"); fi
    done
    if (( $#ended + $#open )); then
        _describe -V 'values' ended -- open -S ''
    else
        _files
    fi
}

if [[ "$funcstack[1]" == "_%(prog_name)s" ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

FISH: Final = r"""
function %(complete_func)s
    set -l rows (env _TYPER_COMPLETE_ARGS=(commandline -cp | string collect) \
        %(autocomplete_var)s=complete_fish %(prog_name)s 2> /dev/null)
    if test (count $rows) -gt 0
        string join \n -- $rows
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command %(prog_name)s --no-files --keep-order --arguments "(%(complete_func)s)"
"""


SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def offer() -> None:
    """Let typer install and show these instead of its own."""
    _completion_shared._completion_scripts.update(SCRIPTS)


def script(shell: str, variable: str) -> str:
    """Return the script of a shell; nothing for one that is not known."""
    names = {"complete_func": "_maskkit_completion", "prog_name": "maskkit", "autocomplete_var": variable}
    return SCRIPTS[shell].lstrip() % names if shell in SCRIPTS else ""
