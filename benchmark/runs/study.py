"""A study: the runs of some recognizers under one setting, each done once and stored."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from benchmark.data import Dataset
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.fit import MB, Outcome, calibration_record, run_ensemble, run_recognizer
from benchmark.runs.freshness import load_finished, run_digest
from benchmark.runs.latency import measure
from benchmark.runs.metrics import evaluate
from benchmark.runs.own_process import do_alone
from benchmark.runs.record_store import Record, Store
from models.artifacts.cards import versions
from models.artifacts.save_load import ArtifactError, save
from models.files.code_digest import code_digest
from models.networks.checkpoint import forget_trainings
from models.networks.processor import has_bfloat16, processor
from models.registry import Entry


class StudyError(RuntimeError):
    """Whoever was to do the runs cannot; the message says the fix."""


@dataclass(frozen=True)
class Run:
    """One recognizer under one seed."""

    entry: Entry
    seed: int

    @property
    def stem(self) -> str:
        """File name of the artifact: the first seed's is the recognizer's own name."""
        return self.entry.name if self.seed == 0 else f"{self.entry.name}-seed{self.seed}"


class Study:
    """Runs, the data and the setting they share, and the store that keeps them.

    Parameters
    ----------
    entries : sequence of Entry
        Members before their ensembles, as the registry gives them.
    seeds : sequence of int
    data : Dataset
    setting : Setting
    root : Path
        Results folder of this data and setting.
    alone : bool
        Do each run in a process of its own, whose memory is measured, and time its predictions in another, on one core.
        Otherwise all is done and measured in this process: quicker, but the costs are then of all that it did.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        seeds: Sequence[int],
        data: Dataset,
        setting: Setting,
        root: Path,
        alone: bool = False,
    ) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self.runs = [Run(entry, seed) for seed in seeds for entry in entries]
        self.data = data
        self.setting = setting
        self.store = Store(root)
        self.alone = alone
        # As it is by now, whatever becomes of the files meanwhile.
        self.code = {entry.name: code_digest(entry.module) for entry in entries}

    def state(self, run: Run, rerun: bool = False) -> str:
        """Return ``fresh``, or why the run has to be done: missing, failed, skipped, stale, rerun or broken."""
        record = self.store.read(run.entry.name, run.seed)
        if run.entry.error:
            return "broken"
        if rerun:
            return "rerun"
        if record is None:
            return "missing"
        if record["status"] != "ok":
            return str(record["status"])
        return "fresh" if self.store.is_fresh(record, self.digest(run)) else "stale"

    def execute(self, rerun: bool = False, runs: Sequence[Run] | None = None) -> Iterator[tuple[Run, str, Record]]:
        """Do every run that is not fresh, or of `runs`, one by one; yield each with its former state and its record.

        A run that fails leaves a record with its error, and the others go on; it never takes the place of a finished
        run. A run that another process is at comes last, and is taken from there.
        """
        busy: list[Run] = []
        for run in self.runs if runs is None else runs:
            waiting = {(each.entry.name, each.seed) for each in busy}
            if any((member, run.seed) in waiting for member in run.entry.members):
                busy.append(run)
                continue
            try:
                yield self._execute(run, rerun, wait=False)
            except Timeout:
                busy.append(run)
        for run in busy:
            yield self._execute(run, rerun, wait=True)

    def _execute(self, run: Run, rerun: bool, wait: bool) -> tuple[Run, str, Record]:
        state, record = self.state(run, rerun), self.store.read(run.entry.name, run.seed)
        if state == "fresh" and record is not None:
            return run, state, record
        with self.store.lock(run.entry.name, run.seed).acquire(blocking=wait):
            state, record = self.state(run, rerun), self.store.read(run.entry.name, run.seed)
            if state != "fresh" or record is None:
                # An ensemble only combines what is stored.
                record = do_alone(self, run, rerun) if self.alone and not run.entry.members else self.do(run, rerun)
        return run, state, record

    def digest(self, run: Run) -> str:
        """Return what decides whether a record is fresh: parameters, code, data, protocol, class weights, seed.

        An ensemble depends on its members' probabilities as well.
        """
        return run_digest(
            {**self.facts(run), "params": self.make(run).get_params(), "members": self._member_probabilities(run)},
            self.code[run.entry.name],
        )

    def _member_probabilities(self, run: Run) -> dict[str, str | None]:
        return {name: (self.store.read(name, run.seed) or {}).get("probabilities_sha256") for name in run.entry.members}

    def make(self, run: Run) -> Any:
        """Return the unfitted recognizer of a run."""
        recognizer = run.entry.make() if run.entry.members else run.entry.make(random_state=run.seed)
        return recognizer.set_params(**self.fixed(run.entry.name))

    def fixed(self, name: str) -> dict[str, Any]:
        """Return the parameters of a recognizer that the setting says, or else the data."""
        return {**self.data.budget.get(name, {}), **self.setting.overrides.get(name, {})}

    def do(self, run: Run, fit: bool) -> Record:
        """Do a run and store it; `fit` although another protocol has its model.

        Whatever the recognizer raises is in the record.
        """
        facts = self.facts(run)
        reason = run.entry.skip() or self._skipped_member(run)
        if reason:
            return self.keep({**facts, "status": "skipped", "error": reason})
        try:
            facts["digest"] = self.digest(run)
            outcome = self._outcome(run, fit)
            scores = {
                "valid": evaluate(outcome.probabilities.y_valid, outcome.probabilities.valid),
                "test": evaluate(outcome.probabilities.y_test, outcome.probabilities.test),
            }
            found = calibration_record(outcome.probabilities, outcome.recognizer.temperature_)
            ensemble = {"weights": getattr(outcome.recognizer, "weights_", {})} if run.entry.members else {}
            about = {**_card(facts), "valid": scores["valid"], **({"ensemble": ensemble} if ensemble else {})}
            card = save(outcome.recognizer, self.store.root / "models", run.stem, about)
            artifact = self.store.root / "models" / card["artifact"]
            if self.alone and not run.entry.members:
                outcome.cost["ms_per_face"] = measure(artifact)["batch_ms"]
        except Exception as error:  # whatever a recognizer raises is its row in the board
            summary = f"{type(error).__name__}: {error}".splitlines()[0]
            return self.keep({**facts, "status": "failed", "error": summary, "traceback": traceback.format_exc()})
        outcome.cost["artifact_mb"] = outcome.cost.get("artifact_mb", 0.0) + artifact.stat().st_size / MB
        record = self.store.write(
            {
                **facts,
                "status": "ok",
                "error": "",
                "params": card["params"],
                **scores,
                "calibration": found,
                "cost": outcome.cost,
                "history": outcome.history,
                "artifact": card["artifact"],
                "artifact_sha256": card["sha256"],
                "members": self._member_probabilities(run),
                "ensemble": ensemble,
            },
            outcome.probabilities,
        )
        forget_trainings()
        return record

    def keep(self, record: Record) -> Record:
        """Store a run that failed or was skipped, but not in the place of a finished one."""
        kept = self.store.read(record["recognizer"], record["seed"])
        return record if kept and kept["status"] == "ok" else self.store.write(record)

    def _skipped_member(self, run: Run) -> str:
        finished = self._member_probabilities(run)
        missing = [name for name in run.entry.members if name in self.entries and not finished[name]]
        reasons = {name: self.entries[name].skip() for name in missing}
        return "; ".join(f"its member {name} {reason}" for name, reason in reasons.items() if reason)

    def _outcome(self, run: Run, fit: bool) -> Outcome:
        if not run.entry.members:
            earlier, fitted = self._fitted_before(run, fit) or (None, self.make(run))
            return run_recognizer(fitted, self.data, self.setting, earlier)
        members = {}
        for name in run.entry.members:
            record = self.store.read(name, run.seed)
            if record is None or record["status"] != "ok":
                raise RuntimeError(f"its member {name} has no finished run: {(record or {}).get('error', 'missing')}")
            members[name] = record, self.store.probabilities(record)
        return run_ensemble(self.make(run), members)

    def is_fitted(self, run: Run, fit: bool) -> bool:
        """Return whether `do` would find the model of another protocol."""
        return self._fitted_before(run, fit) is not None

    def _fitted_before(self, run: Run, fit: bool) -> tuple[Record, Any] | None:
        """Return record and recognizer of a fresh run that differs in the validation split alone, if there is one."""
        if fit or getattr(self.make(run), "uses_validation", True):
            return None
        for protocol in PROTOCOLS.values():
            if protocol == self.setting.protocol or protocol.fit != self.setting.protocol.fit:
                continue
            setting = replace(self.setting, protocol=protocol)
            other = Study([run.entry], [run.seed], self.data, setting, self.store.root.parent / setting.folder)
            other.code = self.code
            record = other.store.read(run.entry.name, run.seed)
            if record is None or other.state(run) != "fresh":
                continue
            try:
                return record, load_finished(other.store.root, record)
            except ArtifactError:
                continue
        return None

    def facts(self, run: Run) -> Record:
        """Return what is known of a run before it is done."""
        protocol = self.setting.protocol
        return {
            "recognizer": run.entry.name,
            "family": run.entry.family,
            "seed": run.seed,
            "dataset": self.data.name,
            "data_fingerprint": self.data.fingerprint,
            "note": self.data.note,
            "n_faces": {role: len(self.data[getattr(protocol, role)]) for role in ("fit", "select", "report")},
            "protocol": asdict(protocol),
            "class_weight": self.setting.class_weight,
            "limit": self.setting.limit,
            "changes": self.setting.changes,
            "environment": environment(),
        }


def environment() -> Record:
    """Return what a run is made with."""
    machine = {"platform": platform.platform(), "processor": processor(), "bfloat16": has_bfloat16()}
    return {**machine, "cores": os.cpu_count(), "versions": versions()}


def _card(facts: Record) -> Record:
    keys = ("recognizer", "family", "seed", "dataset", "data_fingerprint", "protocol", "class_weight", "limit")
    return {key: facts[key] for key in keys}
