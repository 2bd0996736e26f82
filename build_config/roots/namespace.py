"""Owns running commands inside a root: namespaces of the kernel's, so that it needs no rights and leaves no trace."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import process
from ..errors import MachineError, ToolchainError
from ..process import Completed, Output

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REFUSED = 125
_SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a command."""

_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork")
_HINT = (
    "a user must be allowed to make namespaces: sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0; in a container, its options decide"
)

# Everything is mounted in the namespace alone and ends with it. The tree is the lower layer of an overlay whose upper
# layer is in memory, so that a command may write anywhere and the tree stays as it is. The lower layer is named relative
# to the current folder: a path may hold what separates the options of a mount. The shell stays, as the namespace's first
# process: that one would not die of signals that kill others, and has to collect orphans.
_ENTER = r"""
fail() { echo "$1" >&2; exit 125; }
tree=$1 work=$2 cwd=$3
shift 3
mount --make-rprivate / || fail "mounts cannot be made private"
if [ -n "$HANDLER" ]; then
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || fail "no binfmt_misc for one user, which Linux has from 6.7 on"
    printf %s "$HANDLER" > /proc/sys/fs/binfmt_misc/register || fail "the emulator is refused"
fi
cd "$tree" && mount -t tmpfs -o mode=0755 tmpfs mnt || fail "no file system in memory"
mkdir mnt/upper mnt/work mnt/root || fail "no folders in memory"
mount -t overlay -o userxattr,lowerdir=.,upperdir=mnt/upper,workdir=mnt/work overlay mnt/root || fail "no overlay"
cd mnt/root && mkdir -p "./$work" || fail "no room for its work folder"
[ -z "$work" ] || mount --rbind "$work" "./$work" || fail "its work folder cannot be bound"
mount --rbind /dev dev && mount -t proc proc proc || fail "no /dev or /proc"
unset HANDLER OLDPWD PWD
unshare --root=. --wd="$cwd" -- "$@"
exit $?
"""


@dataclass(frozen=True, slots=True)
class Inside:
    """A root to run in, as a trial's place: commands see its tree, their work folder, and this machine's network.

    `identity` is the digest of its key, with the emulator's where it has one; `handler` is what the kernel is told of that,
    empty where the root's programs start without one. `variables` are the root's own.
    """

    name: str
    tree: Path
    identity: str = ""
    handler: str = ""
    slowness: int = 1
    variables: tuple[tuple[str, str], ...] = ()

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Nothing of this machine's: what is there does not hold inside."""
        del environment
        return {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", **dict(self.variables)}

    def run(  # noqa: PLR0913 - as process.run
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path,
        env: Mapping[str, str],
        work: Path | None = None,
        timeout: float | None = None,
        log: Path | None = None,
        error: type[ToolchainError] | None = None,
        subject: str = "",
        output: Output = Output.MERGED,
    ) -> Completed:
        """Run a command to its end in the root; see `trial.Place`.

        Raises:
            MachineError: the kernel does not let us.
            ToolchainError: `error`, where given and the command fails; `BuildError` on a timeout.
        """
        command = [*_UNSHARE, "/bin/sh", "-c", _ENTER, "sh", self.tree, "" if work is None else work, cwd, *argv]
        variables = {**env, "HANDLER": self.handler}
        done = process.run(
            command, cwd=self.tree, env=variables, timeout=timeout, log=log, error=None, subject=subject, output=output
        )
        if done.returncode == _REFUSED:
            raise MachineError(done.output.strip() or "cannot be entered", subject=self.name, hint=_HINT)
        if done.returncode > _SIGNALLED:
            done = replace(done, returncode=_SIGNALLED - done.returncode)
        if done.returncode and error is not None:
            raise error(f"{argv[0]} failed:\n{done.tail()}", subject=subject or self.name)
        return done


def check(environment: Mapping[str, str], work: Path) -> None:
    """Whether this machine can run commands in roots at all.

    Raises:
        MachineError: it cannot; says why, and what to do.
    """
    if shutil.which("unshare", path=environment.get("PATH")) is None:
        raise MachineError("there is no unshare", hint="roots need Linux, and the package util-linux")
    done = process.run([*_UNSHARE, "mount", "--make-rprivate", "/"], cwd=work, env=environment, error=None)
    if done.returncode:
        raise MachineError(f"this kernel gives us no namespaces: {done.tail(1)}", subject="unshare", hint=_HINT)
