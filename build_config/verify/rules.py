"""Owns the table of rules: what each one demands, and what to do when an artifact breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """`demand` completes the sentence "a wheel is fit to ship when …"."""

    demand: str
    hint: str


_REBUILD = "build the wheel again; if it came from elsewhere, do not use it"
_LINK = "look at the linker options of the extension in CMakeLists.txt"
_COMPILE = "look at the compiler options of the toolchain"

RULES: Mapping[str, Rule] = {
    "wheel-name": Rule("its file name is that of a wheel (PEP 427)", _REBUILD),
    "wheel-malformed": Rule("its archive can be read to the last byte", _REBUILD),
    "wheel-hidden-data": Rule("every byte of the archive belongs to an entry", _REBUILD),
    "wheel-header-mismatch": Rule("both headers of each entry say the same", _REBUILD),
    "wheel-entry-path": Rule("every entry stays inside the installation folder", _REBUILD),
    "wheel-entry-type": Rule("entries are plain files", _REBUILD),
    "wheel-duplicate-entry": Rule("no two entries install to one path", _REBUILD),
    "wheel-dist-info": Rule("it has one metadata folder, named as the file is", _REBUILD),
    "wheel-size": Rule("it is no larger than the policy allows", "see what grew: strip, --gc-sections, new files"),
    "record-missing": Rule("RECORD is there and can be read", _REBUILD),
    "record-unlisted": Rule("every file is listed in RECORD", _REBUILD),
    "record-absent": Rule("every file listed in RECORD is there", _REBUILD),
    "record-hash": Rule("each hash and size in RECORD is right", _REBUILD),
    "tag-mismatch": Rule("the file name and the WHEEL file have the same tags", "repair the wheel, do not rename it"),
    "tag-target": Rule("its platform tags are those of the target", "repair it for this target"),
    "tag-suffix": Rule("each extension's file name suits the ABI of the tag (PEP 3149)", "set the extension's suffix"),
    "metadata-mismatch": Rule("METADATA has the name and version of the file name", _REBUILD),
    "metadata-licence": Rule(
        "METADATA has License-Expression and License-File (PEP 639)", "set them in pyproject.toml"
    ),
    "licence-file": Rule("every licence file that METADATA names is there", "see license-files in pyproject.toml"),
    "typed": Rule("each package has py.typed (PEP 561)", "add the file to the package"),
    "binary-missing": Rule("it holds a compiled file", "build the extension"),
    "binary-malformed": Rule("its binaries can be read without contradiction", _REBUILD),
    "binary-sections": Rule("its binaries have section headers that agree with what is loaded", _REBUILD),
    "binary-arch": Rule("its binaries are for the target's format and processor", "build for this target"),
    "binary-exports": Rule("an extension exports its entry point alone", "look at source/exports.map"),
    "binary-needed": Rule("it needs no library but those of the policy", "link it statically, or repair the wheel"),
    "binary-floor": Rule(
        "it needs no newer system, nor symbol version, than the floor", "build with a toolchain for that floor"
    ),
    "binary-undefined": Rule(
        "undefined symbols are the stable ABI's, at the tag's Python, or the C library's",
        "look it up at run time instead, or raise the tag's Python version",
    ),
    "binary-relro": Rule("relocated tables become read-only", f"-Wl,-z,relro; {_LINK}"),
    "binary-bind-now": Rule("symbols are bound at load", f"-Wl,-z,now; {_LINK}"),
    "binary-nx": Rule("no memory is writable and executable, nor is the stack", f"-Wl,-z,noexecstack; {_LINK}"),
    "binary-textrel": Rule("code needs no relocation", f"-fPIC; {_COMPILE}"),
    "binary-runpath": Rule("there is no RUNPATH or RPATH", f"SKIP_BUILD_RPATH; {_LINK}"),
    "binary-stack-protector": Rule("the stack protector is on", f"-fstack-protector-strong; {_COMPILE}"),
    "binary-fortify": Rule("fortified functions of the C library are in use", f"-D_FORTIFY_SOURCE=2; {_COMPILE}"),
    "binary-paths": Rule("no path of the build machine is inside", f"-ffile-prefix-map; {_COMPILE}"),
    "binary-debug": Rule("debug sections and symbol tables are in the debug artifact", "repair the wheel"),
    "binary-flags": Rule("the header's switches that harden are on", _LINK),
    "binary-signature": Rule(
        "it is signed where the system starts nothing else (macOS on Apple's processors), if only ad hoc",
        "codesign --force --sign - FILE on a Mac; the linker signs what it makes, and strip does not",
    ),
    "binary-build-id": Rule("a build-id leads to the debug artifact", f"-Wl,--build-id=sha1; {_LINK}"),
    "auditwheel": Rule(
        "auditwheel finds it as portable as its tag says", "auditwheel show WHEEL tells what stands in the way"
    ),
    "delvewheel": Rule("delvewheel finds nothing that must come along", "delvewheel show WHEEL tells what is needed"),
    "abi3audit": Rule("abi3audit finds only the stable ABI in use", "abi3audit --verbose WHEEL shows every symbol"),
    "twine": Rule("twine finds metadata that the index will take", "twine check --strict WHEEL"),
    "check-wheel-contents": Rule("check-wheel-contents finds nothing odd", "check-wheel-contents WHEEL"),
}


def finding(rule: str, subject: str, message: str) -> Finding:
    """A broken rule; `rule` is an id of `RULES`."""
    return Finding(rule, Severity.ERROR, subject, message, RULES[rule].hint)
