"""Bundles: a run with all that using it needs, as one folder or one file, for another machine.

    shop-20261126-172103/
      pipeline.yaml plan.json metrics.json ranks.safetensors report.html …   as in the run folder
      store/        the artefacts that recommending, adding items and the doctor read, and no others
      files/        what components read besides: an encoder's model, a file of vectors
      manifest.json every file with its SHA-256, under a seal

A bundle is a run folder, so every command that opens runs opens it. What only training read (candidates,
models before the last step) is left behind. Options that named a file now lead into `files`; in fingerprints
they stay what they were, so that items added here and there are named alike.

A `.zip` is the same folder in one file; what its manifest lists is taken from it and nothing else.
"""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genrec_core.contracts.component import components_in
from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.contracts.options import regular_file
from genrec_core.contracts.processes import one_process
from genrec_core.data.lines import UNPACKED_RATIO, is_trap
from genrec_core.pipeline.graph import DATA, TUNE
from genrec_core.pipeline.places import BUNDLE, Outside, read_outside
from genrec_core.pipeline.run_folder import LATEST, PLAN, way_to, write_readable
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.pipeline.wiring import slots_asked
from genrec_core.registry.registry import Registry
from genrec_core.store.manifest import MANIFEST, damage, read_manifest, write_manifest

_STORE, _FILES = "store", "files"
_FILE_ENDING = ".zip"
_BLOCK = 1 << 20
_AGAIN = "copy it again from where `genrec bundle` made it"


@dataclass
class Bundled:
    """What went into a bundle.

    Attributes:
        path: the folder or file.
        artefacts: names of the artefacts.
        files: files outside the store that were taken along.
        missing: those that were left out; new items cannot be added without them.
        bytes: size of everything.
    """

    path: Path
    artefacts: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    bytes: int = 0


def needed_stages(opened: RunReader) -> list[str]:
    """Stages whose artefacts recommending, adding items or the doctor may read."""
    spec, last = opened.pipeline.spec, opened.pipeline.wiring.last
    prompts = opened.pipeline.prompts.values()
    slots = (*type(spec.recommend).slots, *slots_asked(spec.recommend, *prompts, spec.ground))
    own = (spec.tokenizer.slot,) if spec.tokenizer.slot else ()
    kinds = {stage["name"]: stage["kind"] for stage in opened.plan["stages"]}
    needed = {DATA, opened.identifiers_stage, *(last.models[slot].stage for slot in (*slots, *own))}
    needed |= {name for name, kind in kinds.items() if kind == "embed"}
    needed |= {TUNE} if spec.recommend.undecided() else set()
    needed |= set(opened.fitted_stages().values())
    return sorted(needed)


@one_process
def write_bundle(
    run: Path,
    registry: Registry,
    out: Path | None = None,
    *,
    files: bool = True,
    store: Path | None = None,
    versions: Mapping[str, str] | None = None,
) -> Bundled:
    """Put a run into a bundle.

    Args:
        run: a run folder, a pipeline's folder in `runs`, or a run with several seeds, which are all taken.
        registry: the components that its pipeline names.
        out: the folder to make, or the file if it ends in `.zip`; by default `<pipeline>-<run>.zip` here.
        files: take files outside the store along.
        store: where the run's artefacts are; by default where it says.
        versions: installed packages, noted in the manifest.

    Raises:
        GenrecError: an artefact or a file is gone, or `out` is there already.
    """
    home, runs = _folders(run)
    opened = [open_run(folder, registry, store) for folder in runs]
    name = f"{opened[0].pipeline.spec.name}-{home.name}"
    out = out or Path(f"{name}{_FILE_ENDING}")
    if out.exists():
        raise GenrecError(f"`{out}` is there already", hint="name another with --out")
    building = out.absolute().with_name(f".{out.name}.{os.getpid()}")
    bundled = Bundled(out)
    try:
        building.mkdir(parents=True)
        _copy_files(home, building)
        taking = _Taking(building, bundled, files=files)
        for one in opened:
            taking.run(one, building / one.folder.resolve().relative_to(home))
        bundled.artefacts = sorted(folder.name for folder in (building / _STORE).iterdir())
        manifest = write_manifest(building, BUNDLE, {"run": name}, versions or {}, {})
        bundled.bytes = sum(size for size, _ in manifest.files.values())
        if out.suffix == _FILE_ENDING:
            _zip(building, out)
        else:
            building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return bundled


@one_process
def unpack_bundle(file: Path, to: Path | None = None) -> Path:
    """Unpack a bundle's file and verify it; gives the folder.

    Args:
        file: what `write_bundle` made.
        to: the folder to make; by default beside the file, called like it.

    Raises:
        GenrecError: the folder is there already.
        DataError: the file is no bundle, or damaged.
    """
    to = to or file.with_suffix("")
    if to.exists():
        raise GenrecError(f"`{to}` is there already", hint="name another folder with --to")
    building = to.absolute().with_name(f".{to.name}.{os.getpid()}")
    try:
        building.mkdir(parents=True)
        _unzip(file, building)
        verify_bundle(building, file)
        building.rename(to)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return to


def verify_bundle(folder: Path, shown: Path | None = None) -> None:
    """Hash every file of a bundle's folder again.

    Args:
        folder: the bundle.
        shown: what messages call it.

    Raises:
        DataError: something is missing, was added or has another content.
    """
    wrong = damage(folder, deep=True)
    if wrong:
        raise DataError(f"this bundle is damaged: {wrong}", where=str(shown or folder), hint=_AGAIN)


def _folders(run: Path) -> tuple[Path, list[Path]]:
    """The folder that is bundled, without links, and the run folders in it."""
    for home in (run, run / LATEST):
        seeds = sorted(home.glob(f"seed-*/{PLAN}"))
        if (home / PLAN).is_file() or seeds:
            home = home.resolve()
            return home, [home / seed.parent.name for seed in seeds] or [home]
    raise GenrecError(
        f"`{run}` is no run folder: there is no `{PLAN}`", hint="name a folder like runs/<name>/latest"
    )


def _copy_files(home: Path, to: Path) -> None:
    """The files of a run folder itself, without what lies below it and without an old bundle's manifest."""
    to.mkdir(exist_ok=True)
    for file in sorted(home.iterdir()):
        if file.is_file() and not file.is_symlink() and file.name != MANIFEST:
            shutil.copyfile(file, to / file.name)


class _Taking:
    """Copies runs into a bundle's folder.

    Args:
        root: the folder.
        files: whether files outside the store are taken along.
    """

    def __init__(self, root: Path, bundled: Bundled, *, files: bool) -> None:
        self.root, self.bundled, self.files = root, bundled, files
        self._copies: dict[Path, Path] = {}

    def run(self, opened: RunReader, to: Path) -> None:
        """One run: its files, its artefacts, and a plan that leads to them."""
        _copy_files(opened.folder, to)
        for stage in needed_stages(opened):
            artefact = opened.artefact(stage)
            if not (self.root / _STORE / artefact.name).exists():
                shutil.copytree(artefact, self.root / _STORE / artefact.name)
        moved = {}
        for outside in _outside(opened):
            if not self.files:
                self.bundled.missing.append(str(outside.place))
                continue
            moved[outside.way] = {"to": way_to(to, self._copied(outside)), "was": outside.was}
        plan = {key: value for key, value in opened.plan.items() if key not in ("store_was", "moved")}
        plan |= {"store": way_to(to, self.root / _STORE), **({"moved": moved} if moved else {})}
        write_readable(to / PLAN, plan)

    def _copied(self, outside: Outside) -> Path:
        """A file or folder in the bundle, where it keeps its name, which is part of fingerprints.

        Raises:
            GenrecError: it is gone, or nothing can lead the component to it.
        """
        place, reader = outside.place, f"{outside.reader.kind} `{outside.reader.name}`"
        without = "leave such files out with --without-files"
        if not outside.way:
            raise GenrecError(f"{reader} reads `{place}`, which no option of it names", hint=without)
        if not place.exists():
            raise GenrecError(
                f"{reader} reads `{place}`, which is not there", hint=f"bring it back, or {without}"
            )
        if place not in self._copies:
            copy = self.root / _FILES / str(len(self._copies)) / place.name
            copy.parent.mkdir(parents=True)
            shutil.copytree(place, copy) if place.is_dir() else shutil.copyfile(place, copy)
            self._copies[place] = copy
            self.bundled.files.append(str(place))
        return self._copies[place]


def _outside(opened: RunReader) -> Iterator[Outside]:
    """Files outside the store that an opened run may read."""
    spec = opened.pipeline.spec
    users = (spec.tokenizer, spec.recommend, spec.ground, *opened.pipeline.prompts.values())
    used = {id(inner) for one in users for inner in (one, *(inner for _, inner in one.nested()))}
    for way, component in components_in(spec):
        if id(component) in used:
            yield from read_outside(way, component)


def _zip(folder: Path, file: Path) -> None:
    """One file, nothing compressed: weights would not get smaller. Written beside its place and renamed."""
    part = file.absolute().with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder).as_posix())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _unzip(file: Path, to: Path) -> None:
    """What the manifest lists, no longer than it says; a manifest with a name that leads out is none."""
    try:
        with zipfile.ZipFile(regular_file(file)) as archive:
            _refuse_trap(file, archive.getinfo(MANIFEST).file_size)
            (to / MANIFEST).write_bytes(archive.read(MANIFEST))
            manifest = read_manifest(to)
            if manifest is None:
                raise DataError("its manifest is damaged", where=str(file), hint=_AGAIN)
            _refuse_trap(file, sum(size for size, _ in manifest.files.values()))
            for name, (size, _) in manifest.files.items():
                target = to / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as body, target.open("wb") as written:
                    left = size + 1
                    while left and (block := body.read(min(left, _BLOCK))):
                        written.write(block)
                        left -= len(block)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError, RuntimeError) as error:
        raise DataError(f"this is no whole bundle: {error}", where=str(file), hint=_AGAIN) from error


def _refuse_trap(file: Path, unpacked: int) -> None:
    """A bundle is not compressed; one that somebody packed again is read, but no more than it could hold."""
    if is_trap(file.stat().st_size, unpacked):
        raise DataError(
            f"this bundle unpacks to {unpacked:,} bytes, more than {UNPACKED_RATIO} times its size",
            where=str(file),
            hint=_AGAIN,
        )
