"""Owns the dynamic segment of an ELF file: the tables that the loader follows, whatever the section headers say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .elf_image import PT_DYNAMIC, Image, malformed, text

DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 1, 4, 5, 6, 10
DT_RPATH, DT_TEXTREL, DT_BIND_NOW, DT_RUNPATH, DT_FLAGS = 15, 22, 24, 29, 30
DT_FLAGS_1, DT_GNU_HASH, DT_VERSYM, DT_VERNEED, DT_VERNEEDNUM = (
    0x6FFFFFFB,
    0x6FFFFEF5,
    0x6FFFFFF0,
    0x6FFFFFFE,
    0x6FFFFFFF,
)
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW = 4, 8, 1

_DT_RELOCATIONS = ((7, 8, True), (17, 18, False), (23, 2, None))
"""(address tag, size tag, has addends) of DT_RELA, DT_REL and DT_JMPREL; None: DT_PLTREL says."""
_DT_PLTREL, _DT_RELA = 20, 7

_STB_LOCAL, _STB_WEAK = 0, 2
_UNSEEN = (1, 2)
"""STV_INTERNAL and STV_HIDDEN."""

_MAX_SYMBOLS = 200_000
_MAX_NAME_BYTES = 64 << 20
_MAX_RELOCATION_BYTES = 32 << 20
_MAX_VERSIONS = 100_000


class Symbol(NamedTuple):
    """A dynamic symbol; `version` and `library` are those that an undefined one asks for."""

    name: str
    defined: bool
    weak: bool
    local: bool
    hidden: bool
    version: str
    library: str


class Dynamic:
    """The entries of PT_DYNAMIC; a tag that may occur once has its first value in `values`."""

    def __init__(self, image: Image) -> None:
        self.image = image
        segments = [segment for segment in image.segments if segment.type == PT_DYNAMIC]
        if len(segments) != 1:
            raise malformed(f"{len(segments)} dynamic segments, not one")
        self.segment = segments[0]
        self.entries = tuple(self._read())
        self.values: Mapping[int, int] = dict(reversed(self.entries))
        self.strings = self._strings()

    def texts(self, tag: int) -> tuple[str, ...]:
        """The strings that the entries of a tag point to, in order."""
        return tuple(
            text(self.strings, value, f"the string of tag {tag}") for each, value in self.entries if each == tag
        )

    def symbols(self) -> Iterator[Symbol]:
        """Every symbol that the loader can reach.

        Raises:
            VerifyError: a table lies outside the file or is larger than any real one.
        """
        count = self._symbol_count()
        if count == 0:
            return
        wide = self.image.layout.wide
        form = "IBBHQQ" if wide else "IIIBBH"
        size = 24 if wide else 16
        start = self._address(DT_SYMTAB, "the symbol table")
        versions = self._wanted_versions()
        numbers = self._version_numbers(count)
        spent = 0
        for index, row in enumerate(self.image.records(start, count * size, form, "the symbol table")):
            name, info, other, section = (row[0], row[1], row[2], row[3]) if wide else (row[0], row[3], row[4], row[5])
            label = text(self.strings, name, f"the name of symbol {index}")
            spent += len(label)
            if spent > _MAX_NAME_BYTES:
                raise malformed(f"symbol names of more than {_MAX_NAME_BYTES} bytes")
            version, library = versions.get(numbers[index] & 0x7FFF, ("", "")) if numbers else ("", "")
            binding = info >> 4
            if label:
                yield Symbol(
                    label,
                    section != 0,
                    binding == _STB_WEAK,
                    binding == _STB_LOCAL,
                    other & 3 in _UNSEEN,
                    version,
                    library,
                )

    def wanted_versions(self) -> tuple[str, ...]:
        """The names of the symbol versions asked of other libraries, sorted."""
        return tuple(sorted({version for version, _ in self._wanted_versions().values()}))

    def _read(self) -> Iterator[tuple[int, int]]:
        form = "qQ" if self.image.layout.wide else "iI"
        for tag, value in self.image.records(self.segment.offset, self.segment.filesz, form, "the dynamic segment"):
            if tag == 0:
                return
            yield tag, value
        raise malformed("the dynamic segment has no end")

    def _strings(self) -> bytes:
        if DT_STRTAB not in self.values:
            return b""
        return self.image.read(
            self._address(DT_STRTAB, "the string table"), self.values.get(DT_STRSZ, 0), "the string table"
        )

    def _address(self, tag: int, what: str) -> int:
        if tag not in self.values:
            raise malformed(f"{what} is missing")
        return self.image.offset_of(self.values[tag], what)

    def _symbol_count(self) -> int:
        """ELF states the number nowhere: it follows from the hash tables and from what relocations name."""
        if DT_SYMTAB not in self.values:
            return 0
        count = max(self._in_hash(), self._in_gnu_hash(), self._in_relocations())
        if count > _MAX_SYMBOLS:
            raise malformed(f"{count} dynamic symbols")
        return count

    def _in_hash(self) -> int:
        if DT_HASH not in self.values:
            return 0
        _, chains = self.image.unpack("II", self._address(DT_HASH, "the hash table"), "the hash table")
        return int(chains)

    def _in_gnu_hash(self) -> int:
        if DT_GNU_HASH not in self.values:
            return 0
        what = "the GNU hash table"
        start = self._address(DT_GNU_HASH, what)
        buckets, first, bloom, _ = self.image.unpack("IIII", start, what)
        chains = start + 16 + bloom * self.image.layout.word + buckets * 4
        last = max((row[0] for row in self.image.records(chains - buckets * 4, buckets * 4, "I", what)), default=0)
        if last < first:
            return int(first)
        position = chains + (last - first) * 4
        for (link,) in self.image.records(position, min(len(self.image.data) - position, _MAX_SYMBOLS * 4), "I", what):
            last += 1
            if link & 1:
                return int(last)
        raise malformed(f"{what} has a chain without end")

    def _in_relocations(self) -> int:
        wide = self.image.layout.wide
        shift = 32 if wide else 8
        count = 0
        for address, size, addends in _DT_RELOCATIONS:
            if not self.values.get(size) or address not in self.values:
                continue
            if self.values[size] > _MAX_RELOCATION_BYTES:
                raise malformed(f"{self.values[size]} bytes of relocations")
            full = self.values.get(_DT_PLTREL) == _DT_RELA if addends is None else addends
            form = ("Q" if wide else "I") * (3 if full else 2)
            start = self._address(address, "a relocation table")
            rows = self.image.records(start, self.values[size], form, "a relocation table")
            count = max(count, 1 + max((row[1] >> shift for row in rows), default=-1))
        return count

    def _version_numbers(self, count: int) -> tuple[int, ...]:
        if DT_VERSYM not in self.values:
            return ()
        start = self._address(DT_VERSYM, "the table of symbol versions")
        return tuple(row[0] for row in self.image.records(start, count * 2, "H", "the table of symbol versions"))

    def _wanted_versions(self) -> dict[int, tuple[str, str]]:
        """(version, library) by the number that the symbols use (DT_VERNEED, LSB 10.7.2)."""
        wanted: dict[int, tuple[str, str]] = {}
        if DT_VERNEED not in self.values:
            return wanted
        what, total = "the needed versions", 0
        position = self._address(DT_VERNEED, what)
        for _ in range(min(self.values.get(DT_VERNEEDNUM, 0), _MAX_VERSIONS)):
            _, count, file, aux, following = self.image.unpack("HHIII", position, what)
            library, entry = text(self.strings, file, "a needed library"), position + aux
            total += count
            if total > _MAX_VERSIONS:
                raise malformed(f"more than {_MAX_VERSIONS} needed versions")
            for _ in range(count):
                _, _, number, name, step = self.image.unpack("IHHII", entry, what)
                wanted[number & 0x7FFF] = (text(self.strings, name, "a needed version"), library)
                if step == 0:
                    break
                entry += step
            if following == 0:
                break
            position += following
        return wanted
