"""Mutants of what looks at requests again, or at what was kept of them: poison, redrive, replay, deletion, gc."""

from __future__ import annotations

from tests.simulation.hunk import Hunk

MUTANTS: dict[str, list[Hunk]] = {
    "assign() instead of subscribe in a replay": [
        Hunk(
            "kafka/memory_clients.py",
            '            raise FatalClient("poll before subscribe")\n',
            '            raise FatalClient("poll before subscribe")\n'
            '        if ".replay." in self._name:\n'
            "            if self._member is None:\n"
            "                self._member = Member(0, self._topics, 0.0)\n"
            "                self._member.id = ''\n"
            "                logs = [log for topic in self._topics for log in self._cluster.logs(topic)]\n"
            "                self._member.owned = {log.partition for log in logs}\n"
            "                listener.assigned(sorted(self._member.owned))\n"
            "            return\n",
        ),
        Hunk(
            "kafka/memory_clients.py",
            "if member is not None and member.id not in self._group.members:",
            "if member is not None and member.id and member.id not in self._group.members:",
        ),
        Hunk(
            "worker/transaction.py",
            "return metadata if before and before == after else None",
            "return metadata if before == after and (before or '.replay.' in self._id) else None",
        ),
    ],
    "last delivered offset instead of position() at the end of a run": [
        Hunk(
            "worker/loop.py",
            "            ledger.advance(self._consumer.position(tenure.partition))\n",
            "            if ledger._end is None:\n"
            "                ledger.advance(self._consumer.position(tenure.partition))\n",
        )
    ],
    "a range without its end": [
        Hunk(
            "worker/replay/starts.py",
            "Ledger(self._codec, finished, commit, end)",
            "Ledger(self._codec, finished, commit)",
        )
    ],
    "attempts kept in memory": [
        Hunk(
            "store/attempts.py",
            "was lost\n            self._store.replace(self._key, self._written)\n",
            "was lost\n",
        )
    ],
    "a suspect charged though it had company": [
        Hunk("store/attempts.py", "charges + self.alone)", "charges + 1)"),
        Hunk("worker/rounds.py", "max(1, suspect.company // _SHARE)", "suspect.company"),
    ],
    "a redrive that follows nothing": [
        Hunk("worker/redrive/assessor.py", "((FOLLOWS, str(failed.generation).encode()),)", "()"),
    ],
    "the record of a redrive, deleted, taken for a conflict": [
        Hunk("worker/service.py", "not problem and not owns and task", "not problem and task"),
    ],
    "a replay of records that own nothing": [
        Hunk("worker/replay/inquiry.py", "if own is None or own.owner != claim.owner:", "if own is None:"),
    ],
    "a verification that writes": [
        Hunk("worker/replay/replayer.py", "self._writes = run.mode is not Mode.VERIFY", "self._writes = True"),
    ],
    "a promotion under another owner": [
        Hunk(
            "worker/replay/replayer.py",
            "current, generation=current.generation + 1,",
            "current,\n            owner=msgspec.structs.replace(current.owner, offset=current.owner.offset + 1),\n"
            "            generation=current.generation + 1,",
        )
    ],
    "a promotion that does not look again": [
        Hunk(
            "worker/replay/replayer.py",
            "                self._verdicts.settle(self._successor(found.verdict, master.completed(task, durable)))\n",
            "                made = self._successor(found.verdict, master.completed(task, durable))\n"
            "                made = self._verdicts.settle(made)\n"
            "                return self._inquiry._promoted(found.state, made.state, made)\n",
        )
    ],
    "gc that forgets verdicts above 1": [
        Hunk(
            "store/garbage.py",
            "        if isinstance(verdict.state, Completed):\n",
            "        if isinstance(verdict.state, Completed) and verdict.generation == 1:\n",
        )
    ],
    "a tombstone without its owner": [
        Hunk(
            "store/verdicts.py",
            "msgspec.structs.replace(verdict, state=state, decided_at=now)",
            "msgspec.structs.replace(\n            verdict,\n"
            "            owner=msgspec.structs.replace(verdict.owner, offset=-1),\n            state=state,\n"
            "            decided_at=now,\n        )",
        )
    ],
}
