"""A study: the runs of some recognizers under one setting; tells stale runs from fresh ones, and does them."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from benchmark.data import Dataset
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.fit import Outcome, calibration_record, environment, run_ensemble, run_recognizer, time_prediction
from benchmark.runs.freshness import load_finished, run_digest
from benchmark.runs.latency import measure
from benchmark.runs.metrics import evaluate
from benchmark.runs.own_process import do_alone
from benchmark.runs.record_store import Probabilities, Record, Store
from benchmark.runs.run_list import Run, list_runs
from models.artifacts.save_load import ArtifactError, save
from models.files.code_digest import code_digest
from models.networks.checkpoint import delete_finished_checkpoints
from models.registry import Entry, run_of

# What the card of a model says of its run.
CARD = ("recognizer", "family", "seed", "dataset", "data_fingerprint", "protocol", "class_weight", "limit", "package")


class StudyError(RuntimeError):
    """Whoever was to do the runs cannot; the message says the fix."""


class Study:
    """Runs, the data and the setting they share, and the store that keeps them.

    Parameters
    ----------
    entries : sequence of Entry
        Members before their ensembles, as the registry gives them.
    seeds : sequence of int
        What uses no seed is run once, with seed 0.
    data : Dataset
    setting : Setting
    root : Path
        Results folder of this data and setting.
    alone : bool
        Do each run in a process of its own, whose memory is measured, and time its predictions in another, on one core.
        Otherwise all is done and measured in this process: quicker, but the costs are then of all that it did.
    code : dict of str to str, optional
        Digests of the recognizers' code by name, where they are known.
    rerun : collection of str
        Recognizers whose runs are done although they are fresh.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        seeds: Sequence[int],
        data: Dataset,
        setting: Setting,
        root: Path,
        alone: bool = False,
        code: dict[str, str] | None = None,
        rerun: Collection[str] = (),
    ) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self.runs = list_runs(entries, seeds)
        self.data = data
        self.setting = setting
        self.store = Store(root)
        self.alone = alone
        self.rerun = rerun
        # As it is by now, even if the files are edited meanwhile.
        self.code = code or {entry.name: code_digest(entry.module) for entry in entries}

    def state(self, run: Run) -> str:
        """Return ``fresh``, or why the run has to be done: missing, failed, skipped, stale, rerun or broken."""
        record = self.store.read(run.entry.name, run.seed)
        if run.entry.error:
            return "broken"
        if run.entry.name in self.rerun:
            return "rerun"
        if record is None:
            return "missing"
        if record["status"] != "ok":
            return str(record["status"])
        return "fresh" if self.store.is_fresh(record, self.digest(run)) else "stale"

    def execute(self, runs: Sequence[Run] | None = None) -> Iterator[tuple[Run, str, Record]]:
        """Do every run that is not fresh, or of `runs`, one by one; yield each with its former state and its record.

        A run that fails leaves a record with its error, and the others go on; it never takes the place of a finished
        run. A run that another process is at comes last, and is taken from there.
        """
        busy: list[Run] = []
        for run in self.runs if runs is None else runs:
            waiting = {other.stem for other in busy}
            if waiting.intersection(run.entry.member_stems(run.seed)):
                busy.append(run)
                continue
            try:
                yield self._execute(run, wait=False)
            except Timeout:
                busy.append(run)
        for run in busy:
            yield self._execute(run, wait=True)

    def _execute(self, run: Run, wait: bool) -> tuple[Run, str, Record]:
        state, record = self.state(run), self.store.read(run.entry.name, run.seed)
        if state == "fresh" and record is not None:
            return run, state, record
        with self.store.lock(run.entry.name, run.seed).acquire(blocking=wait):
            state, record = self.state(run), self.store.read(run.entry.name, run.seed)
            if state != "fresh" or record is None:
                # An ensemble only combines what is stored.
                record = do_alone(self, run) if self.alone and not run.entry.members else self.do(run)
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
        stems = run.entry.member_stems(run.seed)
        return {stem: (self.store.read(*run_of(stem)) or {}).get("probabilities_sha256") for stem in stems}

    def make(self, run: Run) -> Any:
        """Return the unfitted recognizer of a run."""
        recognizer = run.entry.make() if run.entry.members else run.entry.make(random_state=run.seed)
        return recognizer.set_params(**self.fixed(run.entry.name))

    def fixed(self, name: str) -> dict[str, Any]:
        """Return the parameters of a recognizer that the setting says, or else the data."""
        return {**self.data.budget.get(name, {}), **self.setting.overrides.get(name, {})}

    def do(self, run: Run) -> Record:
        """Do a run and store it; whatever the recognizer raises is in the record."""
        if reason := run.entry.skip_reason() or self._skipped_member(run):
            return self.store.keep({**self.facts(run), "status": "skipped", "error": reason})
        try:
            record, probabilities = self._scored(run, self.digest(run), self._outcome(run))
        except Exception as error:  # whatever a recognizer raises is its row in the board
            summary = f"{type(error).__name__}: {error}".splitlines()[0]
            return self.fail(run, summary, traceback.format_exc())
        record = self.store.write(record, probabilities)
        delete_finished_checkpoints()
        return record

    def _scored(self, run: Run, digest: str, outcome: Outcome) -> tuple[Record, Probabilities]:
        """Save the recognizer of a run; return the record and the probabilities that are to be stored."""
        facts, is_ensemble, predicted = self.facts(run), bool(run.entry.members), outcome.probabilities
        valid, test = evaluate(predicted.y_valid, predicted.valid), evaluate(predicted.y_test, predicted.test)
        ensemble = {"weights": getattr(outcome.recognizer, "weights_", {})} if is_ensemble else {}
        about = {key: facts[key] for key in CARD if key in facts}
        about |= {"valid": valid, **({"ensemble": ensemble} if ensemble else {})}
        card = save(outcome.recognizer, self.store.root / "models", run.stem, about)
        artifact = self.store.root / "models" / card["artifact"]
        if not is_ensemble:
            faces = self.data[facts["protocol"]["select"]].X
            milliseconds = measure(artifact)["batch_ms"] if self.alone else time_prediction(outcome.recognizer, faces)
            outcome.cost["ms_per_face"] = milliseconds
        outcome.cost["artifact_mb"] = outcome.cost.get("artifact_mb", 0.0) + artifact.stat().st_size / 1e6
        calibration = calibration_record(predicted, outcome.recognizer.temperature_)
        record = {**facts, "digest": digest, "status": "ok", "error": "", "params": card["params"]}
        record |= {"valid": valid, "test": test, "calibration": calibration}
        record |= {"cost": outcome.cost, "history": outcome.history}
        record |= {"artifact": card["artifact"], "artifact_sha256": card["sha256"]}
        record |= {"members": self._member_probabilities(run), "ensemble": ensemble}
        return record, predicted

    def fail(self, run: Run, error: str, trace: str = "") -> Record:
        """Store that a run failed, with the reason; return the record."""
        return self.store.keep({**self.facts(run), "status": "failed", "error": error, "traceback": trace})

    def _skipped_member(self, run: Run) -> str:
        members, planned = self._member_probabilities(run), {other.stem for other in self.runs}
        missing = [stem for stem, finished in members.items() if not finished]
        cannot = {stem: self.entries[run_of(stem)[0]].skip_reason() for stem in missing if stem in planned}
        if reasons := [f"its member {stem} {reason}" for stem, reason in cannot.items() if reason]:
            return "; ".join(reasons)
        if not (absent := [stem for stem in missing if stem not in planned]):
            return ""
        seeds = " ".join(map(str, sorted({run_of(stem)[1] for stem in members})))
        return f"needs {', '.join(absent)}: python -m benchmark.run --only {run.entry.name} --seeds {seeds}"

    def _outcome(self, run: Run) -> Outcome:
        if not run.entry.members:
            earlier, fitted = self.fitted_before(run) or (None, self.make(run))
            return run_recognizer(fitted, self.data, self.setting, earlier)
        members = {}
        for stem in run.entry.member_stems(run.seed):
            record = self.store.read(*run_of(stem))
            if record is None or record["status"] != "ok":
                raise RuntimeError(f"its member {stem} has no finished run: {(record or {}).get('error', 'missing')}")
            members[stem] = record, self.store.probabilities(record)
        return run_ensemble(self.make(run), members)

    def fitted_before(self, run: Run) -> tuple[Record, Any] | None:
        """Return record and recognizer of a fresh run that differs in the validation split alone, if there is one."""
        if run.entry.name in self.rerun or getattr(self.make(run), "uses_validation", True):
            return None
        for protocol in PROTOCOLS.values():
            ours = self.setting.protocol
            if protocol == ours or (protocol.fit, protocol.labels) != (ours.fit, ours.labels):
                continue
            setting = replace(self.setting, protocol=protocol)
            root = self.store.root.parent / setting.folder
            other = Study([run.entry], [run.seed], self.data, setting, root, code=self.code)
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
            **({"package": run.entry.package} if run.entry.package else {}),
            "seed": run.seed,
            "dataset": self.data.name,
            "data_fingerprint": self.data.fingerprint,
            "note": self.data.note,
            "n_faces": {role: len(self.data[getattr(protocol, role)]) for role in ("fit", "select", "report")},
            "protocol": asdict(protocol),
            "class_weight": self.setting.class_weight,
            "limit": self.setting.limit,
            "changes": self.setting.changes,
            "environment": environment(run.entry.package),
        }
